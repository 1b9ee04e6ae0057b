"""Promote a version: gates on the golden set, then the manifest, then the alias and a new snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from matchcast.domain.manifests import PublishedModel
from matchcast.releases.history import ReleaseHistory, version_of
from matchcast_tools.errors import BadInput
from matchcast_tools.models import artifact
from matchcast_tools.models.fit import check_fit, snapshot_columns
from matchcast_tools.models.gates import GateReport, GatesFailed, gates_as_dict
from matchcast_tools.models.registry import ModelVersion, check_alias, resolve
from matchcast_tools.models.release_run import ReleaseRun, StageChange, move_alias
from matchcast_tools.models.trial import Trial

CHAMPION = "champion"


@dataclass(frozen=True, slots=True)
class Promotion:
    """What `promote_version` did; `report` is None where the version was served already."""

    source: str
    change: StageChange
    report: GateReport | None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON has them."""
        promoted = self.change.is_new
        return {**self.change.as_dict(), "source": self.source, "promoted": promoted, **gates_as_dict(self.report)}


def promote_version(
    run: ReleaseRun, source: str, trial: Trial, *, to: str = CHAMPION, dry_run: bool = False
) -> Promotion:
    """Have the stage `to` serve the version that the alias `source` names, if every gate passes.

    `trial` measures the version; a `dry_run` changes nothing. Other stages stay.

    Nothing is written before the gates have passed. The manifest goes first: it is what is served, and a race
    or a crash up to there leaves manifest and alias as they were. Then the alias, then the snapshot; a run that
    finds the version served already makes up for the alias (see `matchcast.releases`).

    Raises
    ------
    BadInput
        If `to` is `source`, or no alias that the registry takes.
    GatesFailed
        If a gate stops it; carries every figure.
    AliasUnknown, SignatureMissing, ParityFailed, ReleaseRefused
        If the version may not be served, or the two cannot be compared.
    ReleaseRaceLost
        If somebody else published meanwhile.
    """
    if source == to:
        raise BadInput(f"{source} is promoted to another stage than itself. Name the alias to promote, or `--to`.")
    check_alias(to)
    releases = ReleaseHistory(run.objects)
    served = releases.present.manifest
    stages = served.stages if served else {}
    present, release = stages.get(to), served.release if served else None
    run.progress(f"resolving {source}")
    at = resolve(source, run.tracking, run.name)
    if present is not None and _is_version(present, at):
        alias = None if dry_run else move_alias(run.tracking, run.name, to, at.version)
        return Promotion(source, StageChange(to, at.version, at.version, release, alias=alias), report=None)
    run.progress(f"exporting version {at.version}")
    exported = artifact.export(at, run.tracking, trial.data_dir, run.runtimes)
    check_fit(to, exported.published, snapshot_columns(run.objects))
    run.progress("trying it on the golden set")
    report = trial.run(run.objects, exported, present, to)
    before = version_of(present)
    if not report.passed:
        raise GatesFailed(_refusal(to, at.version, before, report), report)
    if dry_run:
        return Promotion(source, StageChange(to, before, at.version, release), report)
    change = run.change_stage(
        releases, stages, to, exported.published, exported.bodies, action="promote", figures=report.figures
    )
    return Promotion(source, change, report)


def _is_version(present: PublishedModel, at: ModelVersion) -> bool:
    return (present.name, present.version, present.run_id) == (at.name, at.version, at.run_id)


def _refusal(to: str, version: str, before: str | None, report: GateReport) -> str:
    lines = "".join(
        f"\n  {gate.name} is {'no number' if gate.figure is None else f'{gate.figure:.4g}'}, limit {gate.limit:.4g}: "
        f"{gate.explanation}"
        for gate in report.failed
    )
    stays = f"still serves version {before}" if before else "serves no version yet"
    return f"Version {version} is not promoted, and nothing was changed: {to} {stays}. What stopped it:{lines}"
