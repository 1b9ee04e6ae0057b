"""What the commands of releases show to people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from matchcast_tools.cli.output import answers, say

if TYPE_CHECKING:
    from matchcast.releases.history import Entry
    from matchcast.releases.switching import Switched
    from matchcast_tools.models.gates import GateReport
    from matchcast_tools.models.promote import Promotion
    from matchcast_tools.models.publish import Publication
    from matchcast_tools.models.release_run import StageChange
    from matchcast_tools.models.rollback import Rollback

NEW = ("log_loss_difference", "drift", "log_loss")
"""The figures that the history shows; `--json` has all of them."""

_AS_PUBLISHED = {"onnx": "its export", "pyfunc": "its copy, run in a fresh interpreter,"}
"""What a version was compared with, by the runtime that it is published for."""


def show_publication(done: Publication) -> None:
    """Print what a publish released, stage by stage, and how well original and export agree."""
    manifest = done.manifest
    say(f"release {manifest.release} {'published' if done.is_new else 'is published already'}")
    table = Table("stage", "model", "version", "trained until", "log loss", "artifact")
    for name, model in sorted(manifest.stages.items()):
        loss = model.metrics.get("log_loss")
        table.add_row(
            escape(name),
            escape(model.name),
            model.version,
            str(model.trained_until or "-"),
            "-" if loss is None else f"{loss:.4f}",
            model.prefix,
        )
    answers.print(table)
    for each in done.exported:
        say(
            f"version {each.published.version} and {_AS_PUBLISHED[each.published.runtime]} agree within "
            f"{each.parity_difference:.1e} on {each.parity_rows} rows"
        )
    _show_removed(done.switched)


def show_promotion(done: Promotion, *, dry_run: bool) -> None:
    """Print the gates, and what was promoted."""
    change = done.change
    if done.report is None:
        _show_unchanged(change)
        return
    show_gates(done.report)
    if not change.is_new:
        what = "would be promoted" if dry_run else "is not promoted"
        say(f"version {change.version} {what}; nothing is changed, {change.stage} serves {_known(change.before)}")
        return
    say(f"release {change.release}: {change.stage} goes from {_known(change.before)} to version {change.version}")
    _show_removed(change.switched)


def show_gates(report: GateReport) -> None:
    """Print each gate's figure with its limit."""
    table = Table("gate", "figure", "limit", "", "what it is")
    for gate in report.gates:
        figure = "-" if gate.figure is None else f"{gate.figure:.4g}"
        table.add_row(
            gate.name, figure, f"{gate.limit:.4g}", "passed" if gate.passed else "FAILED", escape(gate.explanation)
        )
    answers.print(table)


def show_rollback(done: Rollback) -> None:
    """Print what a rollback brought back."""
    change = done.change
    if not change.is_new:
        _show_unchanged(change)
        return
    say(
        f"release {change.release}: {change.stage} goes back from {_known(change.before)} to version {change.version}, "
        f"first served in release {done.restores}"
    )
    _show_removed(change.switched)


def show_history(entries: Sequence[Entry], stage: str | None, stages: Sequence[str]) -> None:
    """Print the releases, newest first; where none changed the wanted stage, the `stages` that there are."""
    if not entries and stages:
        say(f"No known release changed the stage {stage}. The stages of the releases are: {', '.join(stages)}.")
        return
    if not entries:
        say("No release is known. Train and publish one: `matchcast train`, `matchcast publish`.")
        return
    table = Table("release", "when", "action", "by", "changes", "why", "figures")
    for entry in entries:
        changes = ", ".join(_moved(stage, move.before, move.after) for stage, move in sorted(entry.stages.items()))
        figures = ", ".join(f"{name} {entry.figures[name]:.4f}" for name in NEW if name in entry.figures)
        action = entry.action + (f" (to {entry.restores})" if entry.restores else "")
        table.add_row(
            f"{entry.release}{' *' if entry.is_served else ''}",
            f"{entry.at:%Y-%m-%d %H:%M:%S}" if entry.at else "-",
            escape(action),
            escape(entry.by),
            escape(changes),
            escape(entry.why or ""),
            figures,
        )
    answers.print(table)
    say("* is served now; times are UTC")


def _show_unchanged(change: StageChange) -> None:
    say(f"{change.stage} serves version {change.version} already (release {change.release}); nothing is changed")


def _show_removed(switched: Switched | None) -> None:
    if switched is not None and switched.removed:
        say(f"{len(switched.removed)} files of versions that no kept release names are removed")


def _moved(stage: str, before: str | None, after: str | None) -> str:
    """Return what became of a stage; MLflow numbers versions from 1, so a dash would read as a sign."""
    match before, after:
        case None, _:
            return f"{stage}: new, {_known(after)}"
        case _, None:
            return f"{stage}: {_known(before)}, removed"
        case _:
            return f"{stage}: {before} to {after}"


def _known(version: str | None) -> str:
    return "no version" if version is None else f"version {version}"
