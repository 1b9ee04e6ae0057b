"""`matchcast publish | promote | rollback | history`: which model version the stack serves, and which it did."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from matchcast_tools.stack.deployed import LOCAL, find_stack

if TYPE_CHECKING:
    from matchcast_tools.models.refresh import Refresh
    from matchcast_tools.stack.deployed import Stack

UNREACHABLE = 3
"""The exit code where a switch stands, but something that belongs to it did not work."""

notes = Console(stderr=True)

DataDir = Annotated[Path, typer.Option("--data", help="The folder of the imported dataset.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object, and nothing else.")]
Why = Annotated[str | None, typer.Option(help="The reason, for the history.")]
By = Annotated[str | None, typer.Option(help="Who does it, for the history; the system's user by default.")]
Keep = Annotated[int, typer.Option(min=2, help="How many releases keep their files; older ones are removed.")]
NoSnapshot = Annotated[
    bool, typer.Option("--no-snapshot", help="Make no new snapshot; `matchcast snapshot` makes one later.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(publish)
    app.command()(promote)
    app.command()(rollback)
    app.command()(history)


def publish(
    *,
    stage: Annotated[
        list[str] | None,
        typer.Option(help="Publish this alias only, as often as wanted; by default all of MLFLOW_MODEL_STAGES."),
    ] = None,
    data: DataDir = LOCAL / "data",
    why: Why = None,
    by: By = None,
    keep: Keep = 10,
    as_json: AsJson = False,
) -> None:
    """Export the versions that the aliases name, check them, and publish them to the stack."""
    with _progress("publishing") as tell:
        from matchcast_tools.cli.release_tables import show_release
        from matchcast_tools.models.artifact import runtimes_of
        from matchcast_tools.models.publish import publish as publish_models
        from matchcast_tools.models.registry import configured_stages
        from matchcast_tools.stack.bucket import open_bucket

        stack = find_stack()
        release = publish_models(
            open_bucket(stack),
            stage or configured_stages(),
            keep_others=stage is not None,
            data_dir=data,
            runtimes=runtimes_of(stack),
            why=why,
            by=by,
            keep=keep,
            progress=tell,
        )
    _print(release.as_dict(), lambda: show_release(release), as_json=as_json)
    _warn(release.switched.problem if release.switched else None)


def promote(
    source: Annotated[str, typer.Argument(help="The alias whose version is promoted, such as candidate or smoke.")],
    *,
    to: Annotated[str, typer.Option(help="The stage, and alias, that goes to it.")] = "champion",
    data: DataDir = LOCAL / "data",
    why: Why = None,
    by: By = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Measure, and change nothing.")] = False,
    no_snapshot: NoSnapshot = False,
    golden_from: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="First day of the settled matches; after both trainings by default."),
    ] = None,
    rows: Annotated[int, typer.Option(min=1, help="How many settled matches at most, the newest ones.")] = 2000,
    max_loss: Annotated[
        float, typer.Option(help="How much worse the log loss may be, beyond three standard errors.")
    ] = 0.005,
    max_drift: Annotated[float, typer.Option(help="Mean total variation distance to the present model.")] = 0.07,
    max_drift_of_one: Annotated[float, typer.Option(help="The same distance of any single row.")] = 0.5,
    max_latency: Annotated[float, typer.Option(help="Median milliseconds of one row.")] = 100.0,
    min_settled: Annotated[int, typer.Option(help="The least number of settled matches.")] = 200,
    keep: Keep = 10,
    as_json: AsJson = False,
) -> None:
    """Have a stage serve the version of an alias, if it passes every gate; exit code 4 if not."""
    from matchcast_tools.models.gates import GatesFailed, Limits

    limits = Limits(
        loss=max_loss,
        drift=max_drift,
        drift_of_one=max_drift_of_one,
        latency_ms=max_latency,
        settled=min_settled,
    )
    with _progress("promoting") as tell:
        from matchcast_tools.cli.release_tables import show_gates, show_promotion
        from matchcast_tools.models.artifact import runtimes_of
        from matchcast_tools.models.promote import gates_as_dict
        from matchcast_tools.models.promote import promote as promote_version
        from matchcast_tools.stack.bucket import open_bucket

        stack = find_stack()
        try:
            done = promote_version(
                open_bucket(stack),
                source,
                to=to,
                data_dir=data,
                limits=limits,
                golden_from=_day(golden_from),
                newest=rows,
                why=why,
                by=by,
                runtimes=runtimes_of(stack),
                keep=keep,
                dry_run=dry_run,
                refresh=_refresh(stack, no_snapshot=no_snapshot),
                progress=tell,
            )
        except GatesFailed as refused:
            report = refused.report
            content = {"stage": to, "source": source, "promoted": False, **gates_as_dict(report)}
            _print(content, lambda: show_gates(report), as_json=as_json)
            raise
    _print(done.as_dict(), lambda: show_promotion(done, dry_run=dry_run), as_json=as_json)
    _warn(done.switched.problem if done.switched else None)
    _tell_undone(done.undone)


def rollback(
    *,
    stage: Annotated[str, typer.Option(help="The stage, and alias, that goes back.")] = "champion",
    to_release: Annotated[
        int | None, typer.Option(min=1, help="The release whose version is wanted; the one before by default.")
    ] = None,
    why: Why = None,
    by: By = None,
    no_snapshot: NoSnapshot = False,
    keep: Keep = 10,
    as_json: AsJson = False,
) -> None:
    """Have a stage serve what it served before; again goes one further back."""
    with _progress("rolling back") as tell:
        from matchcast_tools.cli.release_tables import show_rollback
        from matchcast_tools.models.artifact import runtimes_of
        from matchcast_tools.models.rollback import rollback as roll_back
        from matchcast_tools.stack.bucket import open_bucket

        stack = find_stack()
        done = roll_back(
            open_bucket(stack),
            stage,
            to_release=to_release,
            why=why,
            by=by,
            runtimes=runtimes_of(stack),
            keep=keep,
            refresh=_refresh(stack, no_snapshot=no_snapshot),
            progress=tell,
        )
    _print(done.as_dict(), lambda: show_rollback(done), as_json=as_json)
    _warn(done.switched.problem if done.switched else None)
    _tell_undone(done.undone)


def history(
    *,
    stage: Annotated[str | None, typer.Option(help="Only releases that changed what this stage serves.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the releases of the models, newest first: who, when, what, from, to, why, and the figures."""
    from matchcast.releases.history import ReleaseHistory
    from matchcast_tools.cli.release_tables import show_history
    from matchcast_tools.stack.bucket import open_bucket

    entries = list(ReleaseHistory(open_bucket(find_stack())).entries(stage))
    _print({"releases": [entry.as_dict() for entry in entries]}, lambda: show_history(entries), as_json=as_json)


def _refresh(stack: Stack, *, no_snapshot: bool) -> Refresh | None:
    from matchcast_tools.stack.invoke_refresh import invoke_refresh

    return None if no_snapshot else lambda: invoke_refresh(stack)


def _print(content: dict[str, Any], show: Callable[[], None], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(content))
    else:
        show()


def _warn(problem: str | None) -> None:
    if problem:
        notes.print(problem, style="yellow", soft_wrap=True, highlight=False, markup=False)


def _tell_undone(problems: list[str]) -> None:
    """Say loudly what is left to do after a switch, and end with an exit code that scripts notice."""
    for problem in problems:
        notes.print(f"LEFT TO DO: {problem}", style="bold red", soft_wrap=True, highlight=False, markup=False)
    if problems:
        raise typer.Exit(code=UNREACHABLE)


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment is not None else None


@contextmanager
def _progress(what: str) -> Iterator[Callable[[str], None]]:
    """Show what is going on, on stderr, while the block runs."""
    with notes.status(what) as status:
        yield status.update
