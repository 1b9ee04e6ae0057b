"""Where a version comes from, as the file that is published with it: run, data, settings, scores, libraries."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matchcast.snapshots.dataset import FEATURES_FILE

if TYPE_CHECKING:
    from matchcast_tools.models.registry import RegisteredModel

LINEAGE = "lineage.json"
DATASET = "dataset"
"""Tag of a run: the SHA-256 of the features that it learnt from, which the manifest of a dataset names too."""


def dataset_digest(data_dir: Path) -> str:
    """Return the SHA-256 of a dataset's features."""
    with (data_dir / FEATURES_FILE).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def lineage(model: RegisteredModel) -> bytes:
    """Return a version's lineage as JSON: all from the registry, so that publishing again gives the same bytes."""
    at, metadata = model.at, model.pyfunc.metadata
    content = {
        "name": at.name,
        "version": at.version,
        "run_id": at.run_id,
        "model_id": metadata.model_id,
        "source": at.source,
        "tags": at.tags,
        "params": at.params,
        "metrics": at.metrics,
        "flavors": sorted(metadata.flavors),
        "libraries": _libraries(metadata),
        "trained_from": at.trained_from,
        "trained_until": at.trained_until.isoformat() if at.trained_until else None,
        "dataset": at.dataset,
    }
    return json.dumps(content, indent=1, sort_keys=True).encode()


def _libraries(metadata: Any) -> dict[str, str]:
    """Return the versions that the model was logged with: Python, MLflow, and what each flavor notes."""
    found = {"mlflow": metadata.mlflow_version}
    for flavor, notes in metadata.flavors.items():
        for name in ("python_version", "cloudpickle_version", "sklearn_version", "skops_version", "lgb_version"):
            if name in notes:
                found[name.removesuffix("_version")] = notes[name]
        if f"{flavor}_version" in notes:
            found[flavor] = notes[f"{flavor}_version"]
    return {name: str(version) for name, version in found.items() if version is not None}
