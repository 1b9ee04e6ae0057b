"""Publish model versions: alias, version, ONNX, parity, files, manifest; a refusal at any step changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matchcast.domain.manifests import ModelManifest
from matchcast.releases.history import ReleaseHistory
from matchcast.releases.publishing import write_files
from matchcast.releases.switching import Switched
from matchcast_tools.errors import BadInput
from matchcast_tools.models.artifact import Exported, export
from matchcast_tools.models.fit import check_fit, snapshot_columns
from matchcast_tools.models.registry import resolve
from matchcast_tools.models.release_run import ReleaseRun

SHOWN = {"name", "version", "run_id", "trained_until", "metrics"}


@dataclass(frozen=True, slots=True)
class Publication:
    """What `publish_models` did: the manifest that is served now, and what the switch to it did if it is a new one."""

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
                stage: {**model.model_dump(mode="json", include=SHOWN), "artifact": model.prefix}
                for stage, model in sorted(self.manifest.stages.items())
            },
            "parity": {
                each.published.version: {"rows": each.parity_rows, "max_difference": each.parity_difference}
                for each in self.exported
            },
            "removed": list(self.switched.removed) if self.switched else [],
        }


def publish_models(
    run: ReleaseRun,
    stages: Sequence[str],
    *,
    keep_others: bool = False,
    data_dir: Path | None = None,
    without_matches: bool = False,
) -> Publication:
    """Publish the versions that the aliases `stages` name; functions pick them up without a redeploy.

    Each alias is a stage of the manifest; a version under several aliases is exported once. The other stages of the
    present manifest end, unless `keep_others`. What was served stays on every refusal. Parity is shown on rows of
    the dataset in `data_dir`, as `export` does it. A version that needs features which the present snapshot lacks
    is published only `without_matches`: it answers callers' own features, and no match.

    Raises
    ------
    ReleaseRefused
        If the present snapshot lacks features that a version needs.
    AliasUnknown, SignatureMissing, ParityFailed
        If a version may not be served.
    ReleaseRaceLost
        If somebody else published meanwhile.
    """
    if not stages:
        raise BadInput("There is no stage to publish. Name aliases in MLFLOW_MODEL_STAGES or with `--stage`.")
    releases = ReleaseHistory(run.objects)
    served = releases.present.manifest
    run.progress("resolving aliases")
    versions = {stage: resolve(stage, run.tracking, run.name) for stage in stages}
    exported: dict[str, Exported] = {}
    for at in versions.values():
        if at.version not in exported:
            run.progress(f"exporting version {at.version}")
            exported[at.version] = export(at, run.tracking, data_dir, run.runtimes)
    if not without_matches:
        columns = snapshot_columns(run.objects)
        for stage, at in versions.items():
            check_fit(stage, exported[at.version].published, columns)
    others = served.stages if keep_others and served else {}
    wanted = {**others, **{stage: exported[at.version].published for stage, at in versions.items()}}
    bodies = {each.published.prefix: each.bodies for each in exported.values()}
    run.progress("writing files and manifest")
    if served is not None and served.stages == wanted:
        write_files(run.objects, bodies)
        return Publication(served, tuple(exported.values()))
    figures = {
        "parity_rows": sum(each.parity_rows for each in exported.values()),
        "parity_max_difference": max(each.parity_difference for each in exported.values()),
    }
    switched = run.switch(releases, wanted, bodies, action="publish", figures=figures)
    return Publication(switched.manifest, tuple(exported.values()), switched)
