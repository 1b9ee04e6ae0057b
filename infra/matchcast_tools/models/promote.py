"""Promote a version: gates on the golden set, then the manifest, then the alias and a new snapshot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from matchcast.domain.manifests import PublishedModel
from matchcast.ports import ReleaseStore
from matchcast.releases.history import ReleaseHistory
from matchcast.releases.switching import KEPT_RELEASES, Attribution, Switched, switch
from matchcast_tools.errors import BadInput
from matchcast_tools.models import artifact
from matchcast_tools.models.aliases import Aliased, move_alias
from matchcast_tools.models.gates import GateReport, GatesFailed, Limits
from matchcast_tools.models.golden import NEWEST
from matchcast_tools.models.refresh import Refresh, Refreshed
from matchcast_tools.models.registry import MODEL_NAME, ModelVersion, resolve
from matchcast_tools.models.tracking import Tracking
from matchcast_tools.models.trial import golden_for, load_present, try_out

CHAMPION = "champion"


@dataclass(frozen=True, slots=True)
class Promotion:
    """What `promote` did; `report` is None where the version was served already."""

    stage: str
    source: str
    version: str
    before: str | None
    release: int | None
    promoted: bool
    report: GateReport | None
    switched: Switched | None = None
    alias: Aliased | None = None
    snapshot: Refreshed | None = None

    @property
    def undone(self) -> list[str]:
        """Return what did not work after the switch, with what to do about it."""
        return [part.problem for part in (self.alias, self.snapshot) if part is not None and part.problem]

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON has them."""
        return {
            "stage": self.stage,
            "source": self.source,
            "from": self.before,
            "to": self.version,
            "release": self.release,
            "promoted": self.promoted,
            **gates_as_dict(self.report),
            "removed": list(self.switched.removed) if self.switched else [],
            "alias": self.alias.as_dict() if self.alias else None,
            "snapshot": self.snapshot.as_dict() if self.snapshot else None,
        }


def gates_as_dict(report: GateReport | None) -> dict[str, Any]:
    """Return the gates and what else was measured, as JSON has them."""
    return {
        "passed": None if report is None else report.passed,
        "gates": [] if report is None else [gate.as_dict() for gate in report.gates],
        "figures": {} if report is None else report.figures,
    }


def promote(
    objects: ReleaseStore,
    source: str,
    *,
    to: str = CHAMPION,
    data_dir: Path,
    limits: Limits | None = None,
    golden_from: date | None = None,
    newest: int = NEWEST,
    why: str | None = None,
    by: str | None = None,
    tracking: Tracking | None = None,
    name: str = MODEL_NAME,
    runtimes: tuple[str, ...] = ("onnx",),
    keep: int = KEPT_RELEASES,
    dry_run: bool = False,
    refresh: Refresh | None = None,
    progress: Callable[[str], None] = lambda _: None,
    now: datetime | None = None,
) -> Promotion:
    """Have the stage `to` serve the version that the alias `source` names, if every gate passes.

    Nothing is written before the gates have passed. The manifest goes first: it is what is served, and a race
    or a crash up to there leaves manifest and alias as they were. Then the alias, then the snapshot; a run that
    finds the version served already makes up for the alias (see `matchcast.releases.switching`).

    Parameters
    ----------
    objects
        The data bucket.
    source, to
        The alias that names the version, and the stage (and alias) that goes to it. Other stages stay.
    data_dir
        The dataset that the golden set is taken from.
    limits
        Of the gates.
    golden_from, newest
        The first day of settled matches, by default the one after both models' training; how many rows at most.
    why, by
        Recorded in the history.
    tracking, name
        The MLflow store and the registered model.
    runtimes
        What the stack's images can serve.
    keep
        How many releases keep their files.
    dry_run
        Measure, and change nothing.
    refresh
        Makes a new snapshot; None makes none.
    progress
        Told what happens next.
    now
        The time that the manifest carries.

    Raises
    ------
    GatesFailed
        If a gate stops it; carries every figure.
    AliasUnknown, SignatureMissing, ParityFailed, ReleaseRefused
        If the version may not be served, or the two cannot be compared.
    ReleaseRaceLost
        If somebody else published meanwhile.
    """
    if source == to:
        raise BadInput(f"{source} is promoted to another stage than itself. Name the alias to promote, or `--to`.")
    attribution, tracking = Attribution.of(by, why), tracking or Tracking.find()
    releases = ReleaseHistory(objects)
    served = releases.present.manifest
    present = served.stages.get(to) if served else None
    progress(f"resolving {source}")
    at = resolve(source, tracking, name)
    if served is not None and present is not None and _is_version(present, at):
        alias = None if dry_run else move_alias(tracking, name, to, at.version)
        return Promotion(to, source, at.version, at.version, served.release, promoted=False, report=None, alias=alias)
    progress(f"exporting version {at.version}")
    exported = artifact.export(at, tracking, data_dir, runtimes)
    progress("trying it on the golden set")
    beside = None if present is None else load_present(objects, present, to)
    golden = golden_for(exported.published, present, data_dir, golden_from, newest)
    report = try_out(exported, beside, golden, limits or Limits())
    before = present.version if present else None
    if not report.passed:
        raise GatesFailed(_refusal(to, at.version, before, report), report)
    if dry_run:
        release = served.release if served else None
        return Promotion(to, source, at.version, before, release, promoted=False, report=report)
    progress("switching the manifest")
    switched = switch(
        objects,
        releases,
        {**(served.stages if served else {}), to: exported.published},
        {exported.published.prefix: exported.bodies},
        attribution=attribution,
        action="promote",
        figures=report.figures,
        keep=keep,
        now=now,
    )
    alias = move_alias(tracking, name, to, at.version)
    progress("making the snapshot")
    return Promotion(
        to,
        source,
        at.version,
        before,
        switched.manifest.release,
        promoted=True,
        report=report,
        switched=switched,
        alias=alias,
        snapshot=Refreshed.by(refresh),
    )


def _is_version(present: PublishedModel, at: ModelVersion) -> bool:
    return (present.name, present.version, present.run_id) == (at.name, at.version, at.run_id)


def _refusal(to: str, version: str, before: str | None, report: GateReport) -> str:
    lines = "".join(
        f"\n  {gate.name} is {'no number' if gate.figure is None else f'{gate.figure:.4g}'}, limit {gate.limit:.4g}: "
        f"{gate.told}"
        for gate in report.failed
    )
    stays = f"still serves version {before}" if before else "serves no version yet"
    return f"Version {version} is not promoted, and nothing was changed: {to} {stays}. What stopped it:{lines}"
