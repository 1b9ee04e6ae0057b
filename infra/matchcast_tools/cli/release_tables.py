"""What the commands of releases show to people."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from matchcast.releases.history import Entry
    from matchcast.releases.switching import Switched
    from matchcast_tools.models.gates import GateReport
    from matchcast_tools.models.promote import Promotion
    from matchcast_tools.models.publish import Publication
    from matchcast_tools.models.rollback import Rollback

NEW = ("log_loss_difference", "drift", "log_loss")
"""The figures that the history shows; `--json` has all of them."""

# A table that goes into a file or a pipe needs no line breaks.
output = Console(width=None if sys.stdout.isatty() else 160)

_AS_PUBLISHED = {"onnx": "its export", "pyfunc": "its copy, run in a fresh interpreter,"}
"""What a version was compared with, by the runtime that it is published for."""


def show_release(release: Publication) -> None:
    """Print what a publish released, stage by stage, and how well original and export agree."""
    manifest = release.manifest
    _say(f"release {manifest.release} {'published' if release.is_new else 'is published already'}")
    table = Table("stage", "version", "trained until", "log loss", "artifact")
    for name, model in sorted(manifest.stages.items()):
        loss = model.metrics.get("log_loss")
        table.add_row(
            escape(name),
            model.version,
            str(model.trained_until or "-"),
            "-" if loss is None else f"{loss:.4f}",
            model.prefix,
        )
    output.print(table)
    for each in release.exported:
        _say(
            f"version {each.published.version} and {_AS_PUBLISHED[each.published.runtime]} agree within "
            f"{each.parity_difference:.1e} on {each.parity_rows} rows"
        )
    _show_removed(release.switched)


def show_promotion(done: Promotion, *, dry_run: bool) -> None:
    """Print the gates, and what was promoted."""
    if done.report is None:
        _say(f"{done.stage} serves version {done.version} already (release {done.release}); nothing is changed")
        return
    show_gates(done.report)
    if not done.promoted:
        what = "would be promoted" if dry_run else "is not promoted"
        _say(f"version {done.version} {what}; nothing is changed, {done.stage} serves {_known(done.before)}")
        return
    _say(f"release {done.release}: {done.stage} goes from {_known(done.before)} to version {done.version}")
    _show_removed(done.switched)


def show_gates(report: GateReport) -> None:
    """Print each gate's figure beside its limit."""
    table = Table("gate", "figure", "limit", "", "what it is")
    for gate in report.gates:
        figure = "-" if gate.figure is None else f"{gate.figure:.4g}"
        table.add_row(gate.name, figure, f"{gate.limit:.4g}", "passed" if gate.passed else "FAILED", escape(gate.told))
    output.print(table)


def show_rollback(done: Rollback) -> None:
    """Print what a rollback brought back."""
    if not done.rolled_back:
        _say(f"{done.stage} serves version {done.version} already (release {done.release}); nothing is changed")
        return
    _say(
        f"release {done.release}: {done.stage} goes back from {_known(done.before)} to version {done.version}, "
        f"first served in release {done.restores}"
    )
    _show_removed(done.switched)


def show_history(entries: Sequence[Entry]) -> None:
    """Print the releases, newest first."""
    if not entries:
        _say("No release is known. Train and publish one: `matchcast train`, `matchcast publish`.")
        return
    table = Table("release", "when", "action", "by", "changes", "why", "figures")
    for entry in entries:
        changes = ", ".join(
            f"{stage} {move.before or '-'} > {move.after or '-'}" for stage, move in sorted(entry.stages.items())
        )
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
    output.print(table)
    _say("* is served now; times are UTC")


def _show_removed(switched: Switched | None) -> None:
    if switched is not None and switched.removed:
        _say(f"{len(switched.removed)} files of versions that no kept release names are removed")


def _known(version: str | None) -> str:
    return "no version" if version is None else f"version {version}"


def _say(text: str) -> None:
    output.print(text, soft_wrap=True, highlight=False, markup=False)
