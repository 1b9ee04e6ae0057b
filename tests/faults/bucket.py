"""The data bucket with two releases, of which the second may come during a schedule, and what predictions are right.

The second release has another model, and a snapshot with other features, from which the last match was withdrawn. The
publisher's code is the real one. In both releases the stage UNFIT has a model that needs a feature of no snapshot.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.adapters.s3_objects import S3Objects
from matchcast.domain.manifests import (
    MODEL_MANIFEST_KEY,
    SNAPSHOT_MANIFEST_KEY,
    Manifest,
    ModelManifest,
    SnapshotManifest,
)
from matchcast.domain.signature import Column, Signature
from matchcast.errors import MatchcastError, ReleaseRaceLost
from matchcast.releases.publishing import publish_release, read_manifest
from matchcast.snapshots.contract import MATCH_FEATURES_FILE, MATCH_IDS_FILE
from tests.faults import wire
from tests.faults.calls import Calls
from tests.faults.findings import Findings
from tests.faults.s3 import S3, Stored
from tests.faults.scheduler import Environment, Killed, Scheduler
from tests.support.releases import MATCHES as ALL_MATCHES
from tests.support.releases import SIGNATURE, artifact, published, put_snapshot
from tests.support.tasks import NOW

MATCHES = dict(list(ALL_MATCHES.items())[:4])
CURSED, WITHDRAWN = list(MATCHES)[-2:]
"""A match for which the model gives no probabilities until it is mended, and one that the second release lacks."""
EXPLODES: dict[str, Any] = {"elo_difference": 13.0, "form": 13.0}
"""Features for which the model fails, with all that it was asked together with them, until it is mended."""
REFRESH_SECONDS = 30.0
SNAPSHOTS = ("20260301T000000Z-0a1b2c3d", "20260301T120000Z-1b2c3d4e")
VERSIONS = ("3", "4")
UNFIT = "unfit"
MODEL_FILE = "model.onnx"
WEIGHTS = {
    "3": np.array([[0.01, 0, -0.01], [0.1, 0, -0.1]], np.float32),
    "4": np.array([[0.02, 0, -0.02], [-0.1, 0, 0.1]], np.float32),
}
_MANIFESTS: tuple[tuple[str, type[Manifest]], ...] = (
    (MODEL_MANIFEST_KEY, ModelManifest),
    (SNAPSHOT_MANIFEST_KEY, SnapshotManifest),
)


def features(snapshot: int) -> dict[str, list[float]]:
    """Return the matches of a snapshot, by its number."""
    if snapshot == 0:
        return MATCHES
    return {match: [elo + 1, form] for match, (elo, form) in MATCHES.items() if match != WITHDRAWN}


@cache
def _release(number: int) -> dict[str, bytes]:
    """Return the objects of a release."""
    objects = InMemoryObjects()
    needy = Signature(inputs=(*SIGNATURE.inputs, Column(name="weather", type="float")))
    unfit = published("1").model_copy(update={"prefix": f"models/{UNFIT}/1/", "signature": needy})
    stages = {"champion": published(VERSIONS[number]), UNFIT: unfit}
    for model in stages.values():
        objects.put(model.prefix + MODEL_FILE, artifact(model.version))
    manifest = ModelManifest(release=number + 1, published_at=NOW, stages=stages)
    objects.put(MODEL_MANIFEST_KEY, manifest.body())
    matches = features(number)
    ids = "".join(f"{match}\n" for match in sorted(matches)).encode()
    files = {MATCH_FEATURES_FILE: json.dumps(matches).encode(), MATCH_IDS_FILE: ids}
    put_snapshot(objects, files, SNAPSHOTS[number])
    listed = [each.key for each in objects.list_objects("")]
    return {key: stored.body for key in listed if (stored := objects.get(key)) is not None}


class Bucket:
    """What is published in the bucket, and what of it is missing or damaged for a while."""

    def __init__(self, scheduler: Scheduler, rng: random.Random, calls: Calls, s3: S3) -> None:
        self.switched_at: float | None = None
        """When the second snapshot came; its model, if there is one, came before it."""
        self.has_new_model = False
        self._whole_at = -math.inf
        self._scheduler = scheduler
        self._rng = rng
        self._calls = calls
        self._s3 = s3
        self.are_pinned = False
        """Whether processes read releases for batches too, which puts nothing in the place of what is served."""
        self.findings = Findings()
        """Where findings of publishing go."""
        self._lost: dict[str, bytes] = {}
        for key, body in _release(0).items():
            s3.put(key, body)

    @property
    def served_since(self) -> float | None:
        """Return since when the second release can be read whole; None: it cannot be, or is not there."""
        if self.switched_at is None or self._lost:
            return None
        return max(self.switched_at, self._whole_at)

    def publish(self, environment: Environment, *, with_model: bool) -> bool:
        """Publish the second release, and return whether all of it was."""
        try:
            with self._scheduler.process(environment):
                objects = S3Objects(wire.client("s3"), "data")
                for key, manifest_type in _MANIFESTS if with_model else _MANIFESTS[1:]:
                    self._publish(objects, key, manifest_type)
        except (Killed, MatchcastError) as error:
            # What takes a manifest away, or puts it back, is another writer.
            if isinstance(error, ReleaseRaceLost) and not self._lost and self._whole_at == -math.inf:
                self.findings.needless.append("the publisher lost a race, and there is no other")
            self._calls.note(f"publishing was cut off: {error!r}")
            return False
        return True

    def lose(self) -> None:
        """Have objects of the present release be away, or be others, for a while."""
        for _ in range(self._rng.randint(1, 3)):
            self._lose_one()
            self._scheduler.pause(self._rng.uniform(1, 60))

    def _lose_one(self) -> None:
        served = [key for key in _release(self.switched_at is not None) if key in self._s3.stored]
        key = self._rng.choice(served)
        self._lost[key] = self._s3.stored[key].body
        if self._rng.random() < 0.5:
            del self._s3.stored[key]
        else:
            self._s3.stored[key] = Stored(_damaged(key), self._scheduler.now)
        self._calls.note(f"---- {key} is {'damaged' if key in self._s3.stored else 'gone'}")
        self._scheduler.pause(self._rng.uniform(1, 120))
        self.restore()

    def restore(self) -> None:
        """Put back what was lost."""
        while self._lost:
            key, body = self._lost.popitem()
            self._s3.stored[key] = Stored(body, self._scheduler.now)
            self._whole_at = self._scheduler.now
            self._calls.note(f"---- {key} is back")

    def delivered(self, key: str, environment: Environment) -> None:
        """Note what a process has read; what it cannot read, and has nothing in its place for, troubles it."""
        kind = _kind(key)
        if key not in self._lost:
            environment.read.add(kind)
        elif self.are_pinned or (kind not in environment.read and not self._has_earlier(key)):
            self._calls.trouble(f"{key} is not what was published", REFRESH_SECONDS)

    def _publish(self, objects: S3Objects, key: str, manifest_type: type[Manifest]) -> None:
        new = _release(1)
        manifest = manifest_type.parse(new[key], key)
        present = read_manifest(objects, key, manifest_type)
        if present.body == new[key]:
            return
        folders: dict[str, dict[str, bytes]] = {}
        for each in new:
            folder, _, name = each.rpartition("/")
            if each.startswith(key.split("/", maxsplit=1)[0]) and each != key:
                folders.setdefault(f"{folder}/", {})[name] = new[each]
        publish_release(objects, key, manifest, folders, present)

    def written(self, key: str) -> None:
        """Take in that an object was written."""
        if self._lost.pop(key, None) is not None:
            self._whole_at = self._scheduler.now
        new = _release(1)
        if key in new and self._s3.stored[key].body == new[key]:
            if key == MODEL_MANIFEST_KEY:
                self.has_new_model = True
            if key == SNAPSHOT_MANIFEST_KEY and self.switched_at is None:
                self.switched_at = self._scheduler.now

    def _has_earlier(self, key: str) -> bool:
        if key in _release(0) and key not in (MODEL_MANIFEST_KEY, SNAPSHOT_MANIFEST_KEY):
            return False  # a file of the first release
        kept = "models/releases/" if key.startswith("models/") else f"snapshots/{SNAPSHOTS[0]}/manifest.json"
        return any(each.startswith(kept) for each in self._s3.stored)


def _kind(key: str) -> str:
    """Return what an object is, whatever its release."""
    *folders, name = key.split("/")
    return "/".join([*folders[:-1], name]) if len(folders) > 1 else key


@cache
def _damaged(key: str) -> bytes:
    """Return what is there instead of an object: another one of its kind, or half a manifest."""
    same = [body for number in (0, 1) for other, body in _release(number).items() if _kind(other) == _kind(key)]
    mine = {number: _release(number).get(key) for number in (0, 1)}
    if key.endswith("manifest.json"):
        return same[0][: len(same[0]) // 2]
    return next((body for body in same if body not in mine.values()), b"{}")


def is_answered(subject: Mapping[str, Any]) -> bool:
    """Return whether the model answers a subject before it is mended."""
    return subject.get("match_id") != CURSED and subject.get("features") != EXPLODES


def is_close(one: Sequence[float], other: Sequence[float]) -> bool:
    """Return whether two rows are the same, up to the precision of models."""
    return all(abs(a - b) < 1e-4 for a, b in zip(one, other, strict=True))


@cache
def right(version: str, row: tuple[float, ...]) -> tuple[float, ...]:
    """Return what a model has to answer for a row of features."""
    powers = np.exp(np.asarray([row], np.float32) @ WEIGHTS[version])[0]
    return tuple(float(power / powers.sum()) for power in powers)
