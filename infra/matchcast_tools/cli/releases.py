"""`matchcast publish | promote | rollback | history`: which model version the stack serves, and which it did."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from matchcast.releases.retention import KEPT_RELEASES
from matchcast_tools.cli import output
from matchcast_tools.cli.options import DAYS, AsJson, ExistingDataDir, day, number
from matchcast_tools.models.gates import NEWEST, GatesFailed, Limits
from matchcast_tools.stack.find_stack import find_stack

if TYPE_CHECKING:
    from matchcast.releases.switching import Switched
    from matchcast_tools.models.release_run import ReleaseRun

UNREACHABLE = 3
"""The exit code where a switch stands, but something that belongs to it did not work."""
LIMITS = Limits()

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
    name: Annotated[
        str | None, typer.Option(help="The registered model whose aliases are published; matchcast by default.")
    ] = None,
    without_matches: Annotated[
        bool,
        typer.Option(
            "--without-matches",
            help="Publish also what needs features that the snapshot lacks: it answers callers' own features alone.",
        ),
    ] = False,
    data: ExistingDataDir,
    why: Why = None,
    by: By = None,
    keep: Keep = KEPT_RELEASES,
    as_json: AsJson = False,
) -> None:
    """Export the versions that the aliases name, check them, and publish them to the stack."""
    with output.progress("publishing") as tell:
        from matchcast_tools.cli.release_tables import show_publication
        from matchcast_tools.models.publish import publish_models
        from matchcast_tools.models.registry import aliases_elsewhere, configured_stages

        run = _run(tell, by, why, keep)
        run = replace(run, name=name or run.name)
        done = publish_models(
            run,
            stage or configured_stages(),
            keep_others=stage is not None,
            data_dir=data,
            without_matches=without_matches,
        )
        namesakes = {} if name else aliases_elsewhere(run.tracking, done.manifest.stages, run.name)
    output.answer(done.as_dict(), lambda: show_publication(done), as_json=as_json)
    for alias, others in namesakes.items():
        output.warn(
            f"{', '.join(others)} has the alias {alias} as well, and is not what was published: that is {run.name}. "
            "Name the registered model with --name to publish another."
        )
    _end(done.switched)


def promote(
    source: Annotated[str, typer.Argument(help="The alias whose version is promoted, such as candidate or smoke.")],
    *,
    to: Annotated[str, typer.Option(help="The stage, and alias, that goes to it.")] = "champion",
    data: ExistingDataDir,
    why: Why = None,
    by: By = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Measure, and change nothing.")] = False,
    no_snapshot: NoSnapshot = False,
    golden_from: Annotated[
        datetime | None,
        typer.Option(formats=DAYS, help="First day of the settled matches; after both trainings by default."),
    ] = None,
    rows: Annotated[int, typer.Option(min=1, help="How many settled matches at most, the newest ones.")] = NEWEST,
    max_loss: Annotated[
        float, number(help="How much worse the log loss may be, beyond three standard errors.")
    ] = LIMITS.loss,
    max_drift: Annotated[float, number(help="Mean total variation distance to the present model.")] = LIMITS.drift,
    max_drift_of_one: Annotated[float, number(help="The same distance of any single row.")] = LIMITS.drift_of_one,
    max_latency: Annotated[float, number(help="Median milliseconds of one row.")] = LIMITS.latency_ms,
    min_settled: Annotated[int, typer.Option(help="The least number of settled matches.")] = LIMITS.settled,
    keep: Keep = KEPT_RELEASES,
    as_json: AsJson = False,
) -> None:
    """Have a stage serve the version of an alias, if it passes every gate; exit code 4 if not."""
    limits = Limits(
        loss=max_loss,
        drift=max_drift,
        drift_of_one=max_drift_of_one,
        latency_ms=max_latency,
        settled=min_settled,
    )
    with output.progress("promoting") as tell:
        from matchcast_tools.cli.release_tables import show_gates, show_promotion
        from matchcast_tools.models.gates import gates_as_dict
        from matchcast_tools.models.promote import promote_version
        from matchcast_tools.models.trial import Trial

        trial = Trial(data_dir=data, limits=limits, golden_from=day(golden_from), newest=rows)
        run = _run(tell, by, why, keep, snapshot=not no_snapshot)
        try:
            done = promote_version(run, source, trial, to=to, dry_run=dry_run)
        except GatesFailed as refused:
            report = refused.report
            content = {"stage": to, "source": source, "promoted": False, **gates_as_dict(report)}
            output.answer(content, lambda: show_gates(report), as_json=as_json)
            raise
    output.answer(done.as_dict(), lambda: show_promotion(done, dry_run=dry_run), as_json=as_json)
    _end(done.change.switched, done.change.undone)


def rollback(
    *,
    stage: Annotated[str, typer.Option(help="The stage, and alias, that goes back.")] = "champion",
    to_release: Annotated[
        int | None, typer.Option(min=1, help="The release whose version is wanted; the one before by default.")
    ] = None,
    why: Why = None,
    by: By = None,
    no_snapshot: NoSnapshot = False,
    keep: Keep = KEPT_RELEASES,
    as_json: AsJson = False,
) -> None:
    """Have a stage serve what it served before; again goes one further back."""
    with output.progress("rolling back") as tell:
        from matchcast_tools.cli.release_tables import show_rollback
        from matchcast_tools.models.rollback import roll_back

        done = roll_back(_run(tell, by, why, keep, snapshot=not no_snapshot), stage, to_release=to_release)
    output.answer(done.as_dict(), lambda: show_rollback(done), as_json=as_json)
    _end(done.change.switched, done.change.undone)


def history(
    *,
    stage: Annotated[str | None, typer.Option(help="Only releases that changed what this stage serves.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the releases of the models, newest first: who, when, what, from, to, why, and the figures."""
    from matchcast.releases.history import ReleaseHistory
    from matchcast_tools.cli.release_tables import show_history
    from matchcast_tools.stack.bucket import open_bucket

    releases = ReleaseHistory(open_bucket(find_stack()))
    entries = list(releases.entries(stage))
    content = {"releases": [entry.model_dump() for entry in entries]}
    output.answer(content, lambda: show_history(entries, stage, releases.stages()), as_json=as_json)


def _run(
    tell: Callable[[str], Any], by: str | None, why: str | None, keep: int, *, snapshot: bool = False
) -> ReleaseRun:
    """Return what a command works with on the stack."""
    from matchcast.releases.switching import Attribution
    from matchcast_tools.models.artifact import runtimes_of
    from matchcast_tools.models.release_run import ReleaseRun
    from matchcast_tools.stack.bucket import open_bucket
    from matchcast_tools.stack.invoke_refresh import invoke_refresh

    stack = find_stack()
    return ReleaseRun(
        objects=open_bucket(stack),
        runtimes=runtimes_of(stack),
        attribution=Attribution.of(by, why),
        keep=keep,
        refresh=(lambda: invoke_refresh(stack)) if snapshot else None,
        progress=tell,
    )


def _end(switched: Switched | None, undone: Sequence[str] = ()) -> None:
    """Warn of old files that stay; say loudly what is left to do, and end with an exit code that scripts notice."""
    if switched is not None and switched.problem:
        output.warn(switched.problem)
    for problem in undone:
        output.warn(f"LEFT TO DO: {problem}", style="bold red")
    if undone:
        raise typer.Exit(code=UNREACHABLE)
