"""The data bucket with two releases, of which the second may come during a schedule, and what predictions are right.

The bucket is behind its port: its adapter is no part of what tasks depend on. The second release has another model,
and a snapshot with other features, from which the last match was withdrawn.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.errors import ModelFailed, StorageUnavailable
from matchcast.ports import ListedObject, Model, StoredObject
from matchcast.snapshots.contract import MATCH_FEATURES_FILE, MATCH_IDS_FILE
from tests.faults.calls import Calls, Unanswered
from tests.support.releases import MATCHES as ALL_MATCHES
from tests.support.releases import artifact, put_models, put_snapshot

if TYPE_CHECKING:
    from matchcast.domain.manifests import PublishedModel
    from matchcast.ports import Rows

MATCHES = dict(list(ALL_MATCHES.items())[:4])
CURSED, WITHDRAWN = list(MATCHES)[-2:]
"""A match for which the model gives no probabilities until it is mended, and one that the second release lacks."""
EXPLODES: dict[str, Any] = {"elo_difference": 13.0, "form": 13.0}
"""Features for which the model fails, with all that it was asked together with them, until it is mended."""
REFRESH_SECONDS = 30.0
SNAPSHOTS = ("20260301T000000Z-0a1b2c3d", "20260301T120000Z-1b2c3d4e")
VERSIONS = ("3", "4")
_WEIGHTS = {
    "3": np.array([[0.01, 0, -0.01], [0.1, 0, -0.1]], np.float32),
    "4": np.array([[0.02, 0, -0.02], [-0.1, 0, 0.1]], np.float32),
}


def features(snapshot: int) -> dict[str, list[float]]:
    """Return the matches of a snapshot, by its number."""
    if snapshot == 0:
        return MATCHES
    return {match: [elo + 1, form] for match, (elo, form) in MATCHES.items() if match != WITHDRAWN}


@cache
def _release(number: int) -> dict[str, bytes]:
    """Return the files of a release."""
    objects = InMemoryObjects()
    put_models(objects, {"champion": (VERSIONS[number], artifact(VERSIONS[number]))}, release=number + 1)
    matches = features(number)
    ids = "".join(f"{match}\n" for match in sorted(matches)).encode()
    files = {MATCH_FEATURES_FILE: json.dumps(matches).encode(), MATCH_IDS_FILE: ids}
    put_snapshot(objects, files, SNAPSHOTS[number])
    listed = [each.key for each in objects.list_objects("")]
    return {key: stored.body for key in listed if (stored := objects.get(key)) is not None}


class Bucket:
    """A `ReleaseStore` of which reads can fail."""

    def __init__(self, calls: Calls) -> None:
        self.switched_at: float | None = None
        """When the second release came."""
        self.has_new_model = False
        self._calls = calls
        self._files = dict(_release(0))

    def switch(self, now: float, *, with_model: bool = True) -> None:
        """Publish the second release: its snapshot, and perhaps its model."""
        new = _release(1).items()
        self._files |= {key: body for key, body in new if with_model or key.startswith("snapshots/")}
        self.switched_at, self.has_new_model = now, with_model

    def get(self, key: str) -> StoredObject | None:
        """Return an object, or None where there is none."""
        body = self._called(key, self._files.get(key))
        return None if body is None else StoredObject(body, _etag(body))

    def get_if_changed(self, key: str, etag: str) -> StoredObject | None:
        """Return the object if its ETag is another one."""
        found = self.get(key)
        if found is None:
            raise KeyError(key)
        return None if found.etag == etag else found

    def list_objects(self, prefix: str) -> Sequence[ListedObject]:
        """Return nothing: no release was kept."""
        self._called(prefix, None)
        return []

    def _called(self, key: str, body: bytes | None) -> bytes | None:
        try:
            return self._calls("bucket", f"get {key[-24:]}", lambda: body)
        except Unanswered as fault:
            raise StorageUnavailable("The data bucket did not answer.") from fault


@dataclass
class Models:
    """Makes the models of releases."""

    calls: Calls
    mended_at: float = math.inf
    """When that ends which fails again and again."""

    def loader(self, _: str) -> Any:
        """Return the `ModelLoader` of a runtime."""
        return self._load

    def _load(self, published: PublishedModel, _: Mapping[str, bytes]) -> Model:
        return _Model(self, published.version)


@dataclass
class _Model:
    models: Models
    version: str

    def predict(self, rows: Rows) -> Rows:
        """Return probabilities, shape (n, 3)."""
        models = self.models
        models.calls.think()
        is_mended = models.mended_at < math.inf
        if not is_mended and any(list(row) == list(EXPLODES.values()) for row in rows.tolist()):
            raise ModelFailed("It fails on these features.")
        powers = np.exp(rows @ _WEIGHTS[self.version])
        answers: Rows = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
        if not is_mended:
            cursed = [features(number).get(CURSED) for number in (0, 1)]
            for place, row in enumerate(rows.tolist()):
                if any(is_close(row, one) for one in cursed if one is not None):
                    answers[place] = np.nan
        return answers


def is_answered(subject: Mapping[str, Any]) -> bool:
    """Return whether the model answers a subject before it is mended."""
    return subject.get("match_id") != CURSED and subject.get("features") != EXPLODES


def is_close(one: Sequence[float], other: Sequence[float]) -> bool:
    """Return whether two rows are the same, up to the precision of models."""
    return all(abs(a - b) < 1e-4 for a, b in zip(one, other, strict=True))


@cache
def right(version: str, row: tuple[float, ...]) -> tuple[float, ...]:
    """Return what a model has to answer for a row of features."""
    powers = np.exp(np.asarray([row], np.float32) @ _WEIGHTS[version])[0]
    return tuple(float(power / powers.sum()) for power in powers)


@cache
def _etag(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()
