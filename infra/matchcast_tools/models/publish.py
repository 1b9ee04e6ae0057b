"""Publish model versions: alias, version, ONNX, parity, files, manifest; a refusal at any step changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from matchcast.domain.manifests import ModelManifest
from matchcast.ports import ReleaseStore
from matchcast.releases.history import ReleaseHistory
from matchcast.releases.switching import KEPT_RELEASES, Attribution, Switched, switch, write_files
from matchcast_tools.errors import BadInput
from matchcast_tools.models.artifact import Exported, export
from matchcast_tools.models.registry import MODEL_NAME, resolve
from matchcast_tools.models.tracking import Tracking


@dataclass(frozen=True, slots=True)
class Publication:
    """What `publish` did: the manifest that is served now, and what the switch to it did if it is a new one."""

    manifest: ModelManifest
    exported: tuple[Exported, ...]
    switched: Switched | None = None

    @property
    def is_new(self) -> bool:
        """Tell whether the manifest was switched."""
        return self.switched is not None

    def as_dict(self) -> dict[str, Any]:
        """Return what is served now, stage by stage, and the parity of each version, as JSON has it."""
        return {
            "release": self.manifest.release,
            "is_new": self.is_new,
            "stages": {
                stage: {
                    "name": model.name,
                    "version": model.version,
                    "run_id": model.run_id,
                    "artifact": model.prefix,
                    "trained_until": model.trained_until.isoformat() if model.trained_until else None,
                    "metrics": model.metrics,
                }
                for stage, model in sorted(self.manifest.stages.items())
            },
            "parity": {
                each.published.version: {"rows": each.parity_rows, "max_difference": each.parity_difference}
                for each in self.exported
            },
            "removed": list(self.switched.removed) if self.switched else [],
        }


def publish(
    objects: ReleaseStore,
    stages: Sequence[str],
    *,
    keep_others: bool = False,
    data_dir: Path | None = None,
    tracking: Tracking | None = None,
    name: str = MODEL_NAME,
    runtimes: tuple[str, ...] = ("onnx",),
    why: str | None = None,
    by: str | None = None,
    keep: int = KEPT_RELEASES,
    progress: Callable[[str], None] = lambda _: None,
    now: datetime | None = None,
) -> Publication:
    """Publish the versions that the aliases `stages` name; functions pick them up without a redeploy.

    A version under several aliases is exported once. What was served stays on every refusal.

    Parameters
    ----------
    objects
        The data bucket.
    stages
        Aliases of the registered model; each is a stage of the manifest.
    keep_others
        Leave the other stages of the present manifest as they are; else they end.
    data_dir
        The dataset whose feature rows are sampled for parity, beside the model's input example.
    tracking
        The MLflow store; by default what `MLFLOW_TRACKING_URI` names, or the one under `.local/`.
    name
        The registered model.
    runtimes
        What the stack's images can serve (`matchcast_tools.models.artifact.runtimes_of`).
    why, by
        Recorded in the history; the name is the operating system's user's by default.
    keep
        How many releases keep their files.
    progress
        Told what happens next.
    now
        The time that the manifest carries.

    Raises
    ------
    AliasUnknown, SignatureMissing, ParityFailed, ReleaseRefused
        If a version may not be served.
    ReleaseRaceLost
        If somebody else published meanwhile.
    """
    if not stages:
        raise BadInput("There is no stage to publish. Name aliases in MLFLOW_MODEL_STAGES or with `--stage`.")
    attribution, tracking = Attribution.of(by, why), tracking or Tracking.find()
    releases = ReleaseHistory(objects)
    served = releases.present.manifest
    progress("resolving aliases")
    versions = {stage: resolve(stage, tracking, name) for stage in stages}
    exported: dict[str, Exported] = {}
    for at in versions.values():
        if at.version not in exported:
            progress(f"exporting version {at.version}")
            exported[at.version] = export(at, tracking, data_dir, runtimes)
    others = served.stages if keep_others and served else {}
    wanted = {**others, **{stage: exported[at.version].published for stage, at in versions.items()}}
    bodies = {each.published.prefix: each.bodies for each in exported.values()}
    progress("writing files and manifest")
    if served is not None and served.stages == wanted:
        write_files(objects, bodies)
        return Publication(served, tuple(exported.values()))
    figures = {
        "parity_rows": sum(each.parity_rows for each in exported.values()),
        "parity_max_difference": max(each.parity_difference for each in exported.values()),
    }
    switched = switch(
        objects,
        releases,
        wanted,
        bodies,
        attribution=attribution,
        action="publish",
        figures=figures,
        keep=keep,
        now=now,
    )
    return Publication(switched.manifest, tuple(exported.values()), switched)
