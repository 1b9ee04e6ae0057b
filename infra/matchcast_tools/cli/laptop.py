"""`matchcast up | down | url | token | sam-env | doctor`: the laptop stack, and access to any stack."""

from __future__ import annotations

import json
import shlex
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from matchcast_tools.checkout import local_folder
from matchcast_tools.cli.options import AsJson
from matchcast_tools.cli.output import answer, answers, notes, progress, said_after, say, warn
from matchcast_tools.errors import BadInput, EnvironmentProblem
from matchcast_tools.laptop.sam import environments
from matchcast_tools.laptop.signals import interrupt_by_signals, interrupted_as_one, interrupted_status
from matchcast_tools.laptop.stack_file import running_stack
from matchcast_tools.laptop.state import Folder, engine_is_running
from matchcast_tools.stack.find_stack import find_stack
from matchcast_tools.stack.tokens import fetch_token

if TYPE_CHECKING:
    from matchcast_tools.laptop.lifecycle import Started
    from matchcast_tools.laptop.machine import Finding


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(up)
    app.command()(down)
    app.command()(url)
    app.command()(token)
    app.command("sam-env")(sam_env)
    app.command()(doctor)


def up(
    *,
    detach: Annotated[bool, typer.Option("--detach", help="Return when the stack is ready; `down` stops it.")] = False,
    port: Annotated[
        int | None, typer.Option("--port", min=1, max=65535, help="Loopback port; that of the last start by default.")
    ] = None,
    bind: Annotated[
        list[str] | None,
        typer.Option("--bind", help="An address to listen on in addition to loopback, for containers; repeat it."),
    ] = None,
    no_sample: Annotated[
        bool, typer.Option("--no-sample", help="Load no sample league: import and publish your own data.")
    ] = False,
    parameters: Annotated[
        list[str] | None,
        typer.Option("--set", help="A template parameter, for example OddsBookmaker=bet365; repeat it."),
    ] = None,
    new: Annotated[
        bool, typer.Option("--new", help="Discard releases, tasks and clients of the last stack, and start a new one.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the content of stack.json.")] = False,
) -> None:
    """Start the laptop stack: the product's template on a local engine, with a sample league and a token.

    It continues the last stack of this folder: port, releases, snapshots, tasks, queues and clients are as they were.
    """
    started = time.monotonic()
    values = parameter_values(parameters or [])
    has_docs = values.get("DocsEnabled") != "false"
    interrupt_by_signals()
    stack: Started | None = None
    try:
        with interrupted_as_one(), ExitStack() as scope:
            # With the signals taken over already: this import takes a moment.
            from matchcast_tools.laptop.lifecycle import running_stack as run_stack

            folder = Folder(local_folder())
            with progress("starting") as tell:
                stack = scope.enter_context(
                    run_stack(
                        folder,
                        port=port,
                        bind=bind or (),
                        sample=not no_sample,
                        new=new,
                        parameters=values,
                        progress=tell,
                    )
                )
            seconds = time.monotonic() - started
            if detach:
                # Before it is printed: a reader who has left must not stop it.
                stack.engine.release()
            else:
                show_ready(stack, seconds, as_json=as_json, has_docs=has_docs)
                notes.print("Ctrl-C stops it.")
                wait_for_end(folder)
    except KeyboardInterrupt:
        if stack is None or not stack.engine.is_released:
            notes.print("The laptop stack is stopped; nothing is left running.")
            if stack is None or detach:
                # It is not what was asked for; a stack in the foreground ends this way.
                raise typer.Exit(interrupted_status()) from None
    if detach and stack is not None:
        show_ready(stack, seconds, as_json=as_json, has_docs=has_docs)


def parameter_values(given: Sequence[str]) -> dict[str, str]:
    """Return `NAME=VALUE` texts as a mapping.

    Raises
    ------
    BadInput
        If one of them has another form.
    """
    pairs = [text.partition("=") for text in given]
    for name, equals, _ in pairs:
        if not (name and equals):
            raise BadInput(f"--set {name}: write NAME=VALUE, for example --set OddsBookmaker=bet365.")
    return {name: value for name, _, value in pairs}


def down(
    *,
    discard: Annotated[
        bool, typer.Option("--discard", help="Also discard what the stack holds; the next `up` starts a new one.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Stop the laptop stack and every process that it started; the next `up` continues it."""
    from matchcast_tools.laptop.ending import SAVE_SECONDS, save_engine, stop_engine

    folder = Folder(local_folder())
    # What cannot be saved is not stopped, but for an engine that does not answer: it never will.
    if not discard:
        waiting = f"Waiting for the engine to save its state, {SAVE_SECONDS:g} s at most."
        with said_after(1.0, waiting):
            saved = save_engine(folder)
        if not saved:
            warn("The engine does not answer: what it did in its last seconds may not be saved. It is ended now.")
    stopped = stop_engine(folder)
    kept = folder.saved.exists() and not discard
    if discard:
        folder.discard()
    text = "The laptop stack is stopped." if stopped else "No laptop stack is running."
    more = " `matchcast up` continues it, `matchcast up --new` starts a new one." if kept else ""
    answer({"stopped": stopped, "kept": kept}, lambda: notes.print(text + more, soft_wrap=True), as_json=as_json)


def url() -> None:
    """Print the address of the API, as curl and browsers take it."""
    typer.echo(find_stack().browser_url)


def sam_env(
    *,
    host: Annotated[
        str, typer.Option("--host", help="The address under which containers reach the stack, as `up --bind` had it.")
    ] = "127.0.0.1",
) -> None:
    """Print the environment of every function for `sam local invoke --env-vars`, pointed at the laptop stack."""
    typer.echo(json.dumps(environments(running_stack(), host), indent=2))


def token(
    *,
    scope: Annotated[
        list[str] | None, typer.Option("--scope", help="A scope to ask for; repeat it. All of the client's by default.")
    ] = None,
    client: Annotated[
        str | None, typer.Option("--client", help="Id of another app client of the user pool: another tenant.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print an access token for the API, good for an hour."""
    stack = find_stack()
    client_id = client or stack.output("UserPoolClientId")
    access = fetch_token(stack, scope or (), client_id)
    content = {"token": access, "client_id": client_id, "scopes": scope}
    answer(content, lambda: typer.echo(access), as_json=as_json)


def doctor(*, as_json: AsJson = False) -> None:
    """Check the environment, the stack, and what it serves; report what to do about each problem."""
    from matchcast_tools.laptop.doctor import examine

    findings = examine()
    content = {"findings": [asdict(finding) for finding in findings]}
    answer(content, lambda: show_findings(findings), as_json=as_json)
    broken = [finding.check for finding in findings if finding.state == "error"]
    if broken:
        warn(f"Broken: {', '.join(broken)}.", "red")
        raise typer.Exit(code=3)


def show_findings(findings: Sequence[Finding]) -> None:
    """Print each finding, with what to do about it."""
    from matchcast_tools.laptop.machine import SIGNS

    for finding in findings:
        sign, style = SIGNS[finding.state]
        answers.print(sign, style=style, end=" ", highlight=False)
        answers.print(f"{finding.check}: ", end="", highlight=False)
        say(finding.detail)
        if finding.remedy:
            say(f"    {finding.remedy}")


def show_ready(stack: Started, seconds: float, *, as_json: bool, has_docs: bool = True) -> None:
    """Print the address, the token, and lines to copy."""
    content = stack.content
    how = ", as it was left (`matchcast up --new` starts a new one)" if stack.continues else ""
    notes.print(f"The laptop stack is ready after {seconds:.1f} s{how}.", soft_wrap=True)
    if as_json:
        typer.echo(json.dumps(content))
        return
    api = content["browser_url"]
    docs = f"{api}/docs describes every route; " if has_docs else ""
    for line in (
        f"export API={shlex.quote(api)}",
        f"export TOKEN={content['token']}",
        'curl -s "$API/health"',
        'curl -s -H "Authorization: Bearer $TOKEN" "$API/predict/cards/?limit=3"',
        'curl -s -H "Authorization: Bearer $TOKEN" "$API/predict/predictions/?limit=3"',
        f"# {docs}`matchcast token` prints a new token, `matchcast doctor` checks it all.",
    ):
        typer.echo(line)


def wait_for_end(folder: Folder) -> None:
    """Wait until a signal raises KeyboardInterrupt.

    Raises
    ------
    EnvironmentProblem
        If the engine ends by itself.
    """
    never = threading.Event()
    while engine_is_running(folder):
        never.wait(0.5)
    raise EnvironmentProblem(f"The local engine has ended. The end of {folder.log} says why.")
