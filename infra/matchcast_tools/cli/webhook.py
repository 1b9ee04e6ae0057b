"""`matchcast webhook secret | deliveries | endpoints | enable | replay | listen | test`: callbacks."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer

from matchcast.domain.task import utc_now
from matchcast_tools.cli import output
from matchcast_tools.cli.options import AsJson, number
from matchcast_tools.cli.spans import read_moment, read_span
from matchcast_tools.cli.webhook_views import (
    event_content,
    event_line,
    show_deliveries,
    show_endpoints,
    show_secrets,
    show_trial,
)
from matchcast_tools.errors import BadInput, EnvironmentProblem
from matchcast_tools.stack.api_client import ApiClient
from matchcast_tools.stack.find_stack import find_stack
from matchcast_tools.stack.webhooks import WebhookClient, live

SECRET_VARIABLE = "MATCHCAST_WEBHOOK_SECRET"  # noqa: S105 - the name of a variable
PORT = 8790
SubjectId = Annotated[str, typer.Argument(metavar="ID", help="A task's or a batch's id.")]
Secrets = Annotated[
    list[str] | None,
    typer.Option(
        "--secret",
        envvar=SECRET_VARIABLE,
        help="The secret (whsec_...); several where one replaces another. The variable is seen by fewer eyes.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    webhook = typer.Typer(help="Callbacks: secrets, deliveries, replays, and receivers.", no_args_is_help=True)
    secret = typer.Typer(help="The secrets that sign your callbacks.", no_args_is_help=True)
    secret.command()(create)
    secret.command("list")(list_secrets)
    secret.command()(rotate)
    secret.command()(delete)
    webhook.add_typer(secret, name="secret")
    for command in (deliveries, endpoints, enable, replay, listen):
        webhook.command()(command)
    webhook.command("test")(send_test_event)
    app.add_typer(webhook, name="webhook")


def create(as_json: AsJson = False) -> None:
    """Make a secret and print it: it is never shown again. Others go on signing beside it."""
    _show_new(_client().create_secret(), as_json)


def list_secrets(as_json: AsJson = False) -> None:
    """List your secrets, without their values."""
    found = _client().secrets()
    output.answer(found, lambda: show_secrets(found, utc_now()), as_json=as_json)


def rotate(
    overlap: Annotated[str, typer.Option(help="How long the others go on signing: 90s, 30m, 24h, 7d.")] = "24h",
    as_json: AsJson = False,
) -> None:
    """Make a secret and print it; the others end after a while. Until then every callback has both signatures."""
    seconds = int(read_span(overlap).total_seconds())
    _show_new(_client().create_secret(retire_others_in=seconds), as_json)
    output.warn(f"The others sign for another {overlap}: give the receiver both, then take the old one away.")


def delete(
    secret_id: Annotated[str, typer.Argument(help="As `matchcast webhook secret list` shows it.")],
    as_json: AsJson = False,
) -> None:
    """End a secret now."""
    client = _client()
    ended = client.end_secret(secret_id)
    output.answer(ended, lambda: output.say(f"{secret_id} signs no more."), as_json=as_json)
    if not live(client.secrets(), utc_now()):
        output.warn("You have no secret now: no callback can be signed. `matchcast webhook secret create` makes one.")


def deliveries(subject_id: SubjectId, as_json: AsJson = False) -> None:
    """Show the events of a task or batch, and each attempt to deliver them."""
    found = _client().deliveries(subject_id)
    output.answer(found, lambda: show_deliveries(found), as_json=as_json)


def endpoints(as_json: AsJson = False) -> None:
    """List your callback addresses that fail, or are disabled after five days of failures."""
    found = _client().endpoints()
    output.answer(found, lambda: show_endpoints(found), as_json=as_json)


def enable(
    endpoint_id: Annotated[str, typer.Argument(help="As `matchcast webhook endpoints` shows it.")],
    as_json: AsJson = False,
) -> None:
    """Have events sent to a disabled address again; what was not sent can be replayed."""
    enabled = _client().enable(endpoint_id)
    output.answer(enabled, lambda: output.say(f"{enabled['url']} gets events again."), as_json=as_json)


def replay(
    subject_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="A task or batch: its last event.")] = None,
    since: Annotated[
        str | None, typer.Option(help="All events from then: a time, or how long ago, such as 2h.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="And before then; by default now.")] = None,
    as_json: AsJson = False,
) -> None:
    """Deliver the last event of a task or batch, or all of a range of time, again under their ids."""
    if (subject_id is None) == (since is None) or (until is not None and since is None):
        raise BadInput("Give either the id of a task or batch, or --since, with or without --until.")
    if subject_id is not None:
        begun = _client().replay(subject_id)
        output.answer(begun, lambda: output.say("Its last event is delivered again."), as_json=as_json)
        return
    first, last = _range(str(since), until)
    begun = _client().replay_range(first, last)
    shown = f"Events from {first.isoformat()} on are delivered again." if last is None else (
        f"Events from {first.isoformat()} to before {last.isoformat()} are delivered again."
    )  # fmt: skip
    output.answer(begun, lambda: output.say(shown), as_json=as_json)


def listen(
    secret: Secrets = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="On 127.0.0.1; 0 takes a free one.")] = PORT,
    once: Annotated[bool, typer.Option("--once", help="End after the first genuine event.")] = False,
    seconds: Annotated[
        float | None, number("--seconds", least=0, help="End with 3 when nothing has come for so long.")
    ] = None,
    answer: Annotated[int, typer.Option(min=200, max=599, help="The status that genuine events are answered.")] = 204,
    as_json: AsJson = False,
) -> None:
    """Receive callbacks on this machine, verify them, and print each as a line. Ctrl-C ends it.

    For development: a laptop stack calls it if it was started with `--set LoopbackCallbacks=true`. Events that are not
    genuine are printed with the reason, and answered 401.
    """
    from matchcast_tools.receiver.listen import listening

    with listening(port, _values(secret), answer) as listener:
        output.warn(f"Listening on {listener.url} - Ctrl-C ends it.", style="none")
        try:
            for event in listener.events(seconds):
                typer.echo(json.dumps(event_content(event)) if as_json else event_line(event))
                if once and event.refused is None:
                    return
        except KeyboardInterrupt:
            return
    raise EnvironmentProblem(f"Nothing has come for {seconds:g} s.")


def send_test_event(
    url: Annotated[str, typer.Argument(help="The address of a receiver.")],
    secret: Secrets = None,
    as_json: AsJson = False,
) -> None:
    """Send a signed test event from this machine; say what was answered, and whether the address is accepted.

    Exit 0 if it answered with a 2xx, 1 if with something else, 2 if the address is refused, 3 without an answer.
    """
    from matchcast.webhooks.signing import new_secret
    from matchcast_tools.receiver.trial_event import try_receiver

    if not secret:
        output.warn(f"Signed with a secret that nobody knows: give your own with --secret or {SECRET_VARIABLE}.")
    value = _values(secret)[0] if secret else new_secret()
    trial = try_receiver(url, value)
    output.answer(asdict(trial), lambda: show_trial(trial), as_json=as_json)
    if trial.error == "address-refused":
        raise typer.Exit(2)
    if trial.status is None:
        raise typer.Exit(3)
    if not 200 <= trial.status < 300:
        raise typer.Exit(1)


def _client() -> WebhookClient:
    return WebhookClient(ApiClient.of(find_stack()))


def _show_new(made: dict[str, Any], as_json: bool) -> None:
    output.answer(made, lambda: typer.echo(made["secret"]), as_json=as_json)
    output.warn("Keep it: it is not shown again.")


def _range(since: str, until: str | None) -> tuple[datetime, datetime | None]:
    now = utc_now()
    first = read_moment(since, now)
    last = None if until is None else read_moment(until, now)
    if first >= (last or now):
        raise BadInput("The range is empty: --since has to be before --until, or before now.")
    return first, last


def _values(secrets: list[str] | None) -> list[bytes]:
    from matchcast_tools.receiver.verify import read_secret

    if not secrets:
        raise BadInput(f"Give the secret with --secret or in {SECRET_VARIABLE}: without it nothing can be verified.")
    return [read_secret(each) for each in secrets]
