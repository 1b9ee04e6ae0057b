"""Published models and snapshots: what a manifest and its files are made of, and a small release in memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.domain.manifests import (
    MODEL_MANIFEST_KEY,
    SNAPSHOT_MANIFEST_KEY,
    FileEntry,
    ModelManifest,
    PublishedModel,
    SnapshotManifest,
)
from matchcast.domain.signature import Column, Signature
from matchcast.errors import ModelFailed
from matchcast.ports import Model, ObjectStore
from matchcast.predictions.predictor import Predictor
from matchcast.releases.readers import ManifestReader
from matchcast.releases.served_models import ServedModels
from matchcast.snapshots.contract import MATCH_FEATURES_FILE, MATCH_IDS_FILE
from matchcast.snapshots.features import FeatureRows, FeatureTable
from tests.support.tasks import MODEL, NOW

if TYPE_CHECKING:
    from matchcast.ports import Rows

SIGNATURE = Signature(inputs=(Column(name="elo_difference", type="float"), Column(name="form", type="float")))
SNAPSHOT_ID = "20260301T000000Z-0a1b2c3d"
MATCHES = {f"e0-2026-03-{day:02d}-alder-birch": [10.0 * day, day / 10] for day in range(1, 29)}


@dataclass
class Logits:
    """A model whose probabilities are the softmax of a linear map; it counts its calls and can break."""

    weights: Rows
    calls: list[int] = field(default_factory=list)
    answer: Rows | None = None
    broken: bool = False

    def predict(self, rows: Rows) -> Rows:
        """Return probabilities, shape (n, 3)."""
        self.calls.append(len(rows))
        if self.broken:
            raise ModelFailed("the model is broken")
        if self.answer is not None:
            return np.repeat(self.answer, len(rows), axis=0)
        powers = np.exp(rows @ self.weights)
        softmax: Rows = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
        return softmax


def artifact(version: str) -> bytes:
    """Return a file that names its version."""
    return json.dumps({"version": version}).encode()


def published(version: str = "3", body: bytes | None = None) -> PublishedModel:
    """Return a version with one file, by default `artifact`."""
    return PublishedModel(
        name="matchcast",
        version=version,
        run_id=f"run-{version}",
        runtime="onnx",
        prefix=f"models/matchcast/{version}/",
        files={"model.onnx": FileEntry.of(artifact(version) if body is None else body)},
        signature=SIGNATURE,
        metrics={"log_loss": 0.99},
    )


def put_models(objects: ObjectStore, stages: Mapping[str, tuple[str, bytes]], release: int = 1) -> None:
    """Have each stage serve a version with its file, whatever was served before."""
    models = {stage: published(version, body) for stage, (version, body) in stages.items()}
    for stage, model in models.items():
        objects.put(model.prefix + "model.onnx", stages[stage][1])
    objects.put(MODEL_MANIFEST_KEY, ModelManifest(release=release, published_at=NOW, stages=models).body())


def put_snapshot(objects: ObjectStore, files: Mapping[str, bytes], snapshot_id: str = SNAPSHOT_ID) -> None:
    """Serve a snapshot of these files, whatever was served before."""
    snapshot = SnapshotManifest(
        snapshot_id=snapshot_id,
        created_at=NOW,
        as_of=NOW,
        prefix=f"snapshots/{snapshot_id}/",
        bookmaker="fonbet",
        model=MODEL,
        files={name: FileEntry.of(body) for name, body in files.items()},
    )
    for name, body in files.items():
        objects.put(snapshot.prefix + name, body)
    objects.put(SNAPSHOT_MANIFEST_KEY, snapshot.body())


@dataclass
class Release:
    """Objects with a model manifest (stage champion) and a snapshot, and what reads them."""

    objects: InMemoryObjects = field(default_factory=InMemoryObjects)
    model: Logits = field(default_factory=lambda: Logits(np.array([[0.01, 0, -0.01], [0.1, 0, -0.1]], np.float32)))

    def __post_init__(self) -> None:
        put_models(self.objects, {"champion": ("3", artifact("3"))})
        ids = "".join(f"{match_id}\n" for match_id in sorted(MATCHES)).encode()
        put_snapshot(self.objects, {MATCH_FEATURES_FILE: json.dumps(MATCHES).encode(), MATCH_IDS_FILE: ids})
        self.models = ManifestReader(self.objects, MODEL_MANIFEST_KEY, ModelManifest, 30)
        self.snapshots = ManifestReader(self.objects, SNAPSHOT_MANIFEST_KEY, SnapshotManifest, 30)

    def load(self, published: PublishedModel, files: Mapping[str, bytes]) -> Model:
        """Return the one model (a `ModelLoader`)."""
        assert set(files) == {"model.onnx"}
        return self.model

    def predictor(self) -> Predictor:
        """Return a predictor over this release."""
        rows = FeatureRows(self.snapshots, self.objects, parse)
        return Predictor(ServedModels(self.models, self.objects, self.load), rows, lambda: NOW)


def parse(body: bytes) -> FeatureTable:
    """Read the features of `MATCHES`."""
    content = json.loads(body)
    return FeatureTable(
        index={match_id: row for row, match_id in enumerate(content)},
        columns=SIGNATURE.names,
        values=np.array(list(content.values()), np.float32),
        as_of=[int(NOW.timestamp() * 1000)] * len(content),
    )
