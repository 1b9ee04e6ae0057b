"""Publish model versions: alias, version, ONNX, parity, files, manifest; a refusal at any step changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from infra.data.manifests import read_manifest, switch_manifest
from infra.errors import BadInput
from infra.models.artifact import Exported, export
from infra.models.registry import MODEL_NAME, resolve
from infra.models.tracking import Tracking
from matchcast.domain.manifests import MODEL_MANIFEST_KEY, ModelManifest
from matchcast.ports import ObjectStore


@dataclass(frozen=True, slots=True)
class Release:
    """What `publish` did: the manifest that is served now, and whether it is a new one."""

    manifest: ModelManifest
    exported: tuple[Exported, ...]
    is_new: bool

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
        }


def publish(
    objects: ObjectStore,
    stages: Sequence[str],
    *,
    keep_others: bool = False,
    data_dir: Path | None = None,
    tracking: Tracking | None = None,
    name: str = MODEL_NAME,
    progress: Callable[[str], None] = lambda _: None,
    now: datetime | None = None,
) -> Release:
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
    tracking = tracking or Tracking.find()
    present = read_manifest(objects, MODEL_MANIFEST_KEY, ModelManifest)
    progress("resolving aliases")
    versions = {stage: resolve(stage, tracking, name) for stage in stages}
    exported: dict[str, Exported] = {}
    for at in versions.values():
        if at.version not in exported:
            progress(f"exporting version {at.version}")
            exported[at.version] = export(at, tracking, data_dir)
    others = present.manifest.stages if keep_others and present.manifest else {}
    manifest = ModelManifest(
        release=present.manifest.release + 1 if present.manifest else 1,
        published_at=now or datetime.now(UTC),
        stages={**others, **{stage: exported[at.version].published for stage, at in versions.items()}},
    )
    progress("writing files and manifest")
    # Again, too, where nothing is new: that mends a file that was lost or changed.
    for each in exported.values():
        for file, body in each.bodies.items():
            objects.put(each.published.prefix + file, body)
    if present.manifest is not None and present.manifest.stages == manifest.stages:
        return Release(present.manifest, tuple(exported.values()), is_new=False)
    switch_manifest(objects, MODEL_MANIFEST_KEY, manifest, present)
    return Release(manifest, tuple(exported.values()), is_new=True)
