"""A model version as the files that functions read: exported, described, and shown to agree with the original."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from infra.data.store import FEATURES_FILE, read_features
from infra.models.export import check_parity, parity_rows, to_onnx
from infra.models.registry import ModelVersion, RegisteredModel, load_version
from infra.models.tracking import Tracking
from matchcast.adapters.onnx_model import ARTIFACT, load_onnx
from matchcast.domain.manifests import FileEntry, PublishedModel

if TYPE_CHECKING:
    from matchcast.ports import Rows

SIGNATURE = "signature.json"
SAMPLED_ROWS = 10_000
OUTPUTS = ("home", "draw", "away")


@dataclass(frozen=True, slots=True)
class Exported:
    """A version that passed parity: what the manifest will say of it, its files, and the difference found."""

    published: PublishedModel
    bodies: dict[str, bytes]
    parity_rows: int
    parity_difference: float


def export(at: ModelVersion, tracking: Tracking, data_dir: Path | None) -> Exported:
    """Return a version as it would be published, with parity shown; writes nothing.

    Raises
    ------
    SignatureMissing, ParityFailed, ReleaseRefused
        If it may not be served.
    """
    model = load_version(at, tracking)
    artifact = to_onnx(model)
    signature = json.dumps(
        {**model.signature.model_dump(mode="json"), "outputs": list(OUTPUTS)}, indent=1, sort_keys=True
    ).encode()
    bodies = {ARTIFACT: artifact, SIGNATURE: signature}
    published = PublishedModel(
        name=at.name,
        version=at.version,
        run_id=at.run_id,
        runtime="onnx",
        prefix=f"models/{at.name}/{at.version}-{hashlib.sha256(artifact).hexdigest()[:8]}/",
        files={file: FileEntry.of(body) for file, body in bodies.items()},
        signature=model.signature,
        metrics={key: value for key, value in at.metrics.items() if math.isfinite(value)},
        trained_until=at.trained_until,
    )
    # Loaded exactly as the functions will load it.
    rows = parity_rows(model, sample_rows(model, data_dir))
    difference = check_parity(model, load_onnx(published, bodies), rows)
    return Exported(published, bodies, len(rows), difference)


def sample_rows(model: RegisteredModel, data_dir: Path | None) -> Rows:
    """Return up to 10,000 feature rows of the dataset, the same ones each time; none without a fitting dataset."""
    names = list(model.signature.names)
    nothing = np.empty((0, len(names)), dtype=np.float32)
    if data_dir is None or not (data_dir / FEATURES_FILE).exists():
        return nothing
    features = read_features(data_dir)
    if not set(names) <= set(features.column_names):
        return nothing
    rows = np.column_stack([features[column].to_numpy() for column in names]).astype(np.float32)
    picked = np.random.default_rng(0).permutation(len(rows))[:SAMPLED_ROWS]
    return rows[np.sort(picked)]
