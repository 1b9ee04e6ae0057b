"""Releases for the tests of their readers: a bucket that counts, a loader that refuses, and a clock that tests move."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.domain.manifests import (
    MODEL_MANIFEST_KEY,
    SNAPSHOT_MANIFEST_KEY,
    ModelManifest,
    PublishedModel,
    SnapshotManifest,
)
from matchcast.errors import ManifestInvalid, ReleaseRefused, StorageUnavailable
from matchcast.releases.readers import ManifestReader
from matchcast.snapshots.contract import MATCH_FEATURES_FILE, MATCH_IDS_FILE
from matchcast.snapshots.features import FeatureTable
from tests.support.releases import put_models, put_snapshot

if TYPE_CHECKING:
    from matchcast.ports import StoredObject

IDS = ("e0-2026-11-21-alpha-beta", "e0-2026-11-21-gamma-delta", "e1-2026-11-22-alpha-gamma")


class Clock:
    """A monotonic clock that tests move."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class CountingObjects(InMemoryObjects):
    """Objects that count what is asked for, and can be out of reach."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.is_out_of_reach = False
        self.unreadable: str | None = None

    def get(self, key: str) -> StoredObject | None:
        self._ask(key)
        return super().get(key)

    def get_if_changed(self, key: str, etag: str) -> StoredObject | None:
        self._ask(key)
        return super().get_if_changed(key, etag)

    def remove(self, key: str) -> None:
        del self._bodies[key]

    def _ask(self, key: str) -> None:
        self.asked.append(key)
        if self.is_out_of_reach or (self.unreadable and key.endswith(self.unreadable)):
            raise StorageUnavailable("The data bucket did not answer.")


class FakeModel:
    """A model that is its own artifact text."""

    def __init__(self, text: str) -> None:
        self.text = text

    def predict(self, rows: np.ndarray) -> np.ndarray:
        return np.full((len(rows), 3), 1 / 3, dtype=np.float32)


class Loader:
    """Counts loads; an artifact that starts with `bad` is refused."""

    def __init__(self) -> None:
        self.loaded: list[str] = []

    def __call__(self, published: PublishedModel, files: Mapping[str, bytes]) -> FakeModel:
        assert set(files) == set(published.files)
        text = files["model.onnx"].decode()
        self.loaded.append(text)
        if text.startswith("bad"):
            raise ReleaseRefused(f"{text} is no model.")
        return FakeModel(text)


def publish_models(objects: InMemoryObjects, release: int, **artifacts: str) -> None:
    """Have each stage serve the version that is named by its artifact."""
    put_models(objects, {stage: (text, text.encode()) for stage, text in artifacts.items()}, release)


def publish_snapshot(objects: InMemoryObjects, snapshot_id: str, ids: tuple[str, ...] = IDS) -> None:
    """Serve a snapshot whose features are its id."""
    lines = "".join(f"{match_id}\n" for match_id in ids).encode()
    put_snapshot(objects, {MATCH_IDS_FILE: lines, MATCH_FEATURES_FILE: snapshot_id.encode()}, snapshot_id)


def parse_fake(body: bytes) -> FeatureTable:
    """Read a fake features file: its text ends up in nothing but the refusal of `bad` ones."""
    if body.startswith(b"bad"):
        raise ManifestInvalid("no features")
    values = np.array([[1, 2], [3, 4], [5, 6]], dtype=np.float32)
    return FeatureTable({match_id: row for row, match_id in enumerate(IDS)}, ("elo", "form"), values, [0, 1000, 2000])


def models(objects: CountingObjects, clock: Clock) -> ManifestReader[ModelManifest]:
    return ManifestReader(objects, MODEL_MANIFEST_KEY, ModelManifest, 30, clock)


def snapshots(objects: CountingObjects, clock: Clock) -> ManifestReader[SnapshotManifest]:
    return ManifestReader(objects, SNAPSHOT_MANIFEST_KEY, SnapshotManifest, 30, clock)
