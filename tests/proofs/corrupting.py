"""Broken releases on a running stack: put into the bucket, asked about in every way, and taken away again."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from matchcast.domain.manifests import (
    MODEL_MANIFEST_KEY,
    SNAPSHOT_MANIFEST_KEY,
    ModelManifest,
    SnapshotManifest,
    model_release_key,
)
from matchcast.releases.files import read_files
from matchcast.releases.publishing import read_manifest
from matchcast_tools.stack.api_client import Answer
from tests.proofs import corruptions
from tests.proofs.bench import REFRESH_SECONDS, Bench
from tests.proofs.corruptions import COMPUTED, EVERYONE, PRECOMPUTED, Broken

NOTICED_SECONDS = 10.0


@dataclass(frozen=True)
class Tried:
    """A broken release: whether somebody says that it is refused, and whether the one before it answers."""

    name: str
    refused: bool
    served: bool


@dataclass(frozen=True)
class Place:
    """Where releases of one kind are, and what is served of them now."""

    work: Bench
    prefix: str
    key: str
    kept_key: str
    good_manifest: bytes
    version: str
    snapshot_id: str

    def try_release(self, name: str, broken: Broken, readers: Collection[str] = EVERYONE) -> Tried:
        """Put a broken release into the bucket, ask in every way, and put the good one back.

        The good manifest is kept first, as every publisher does: functions start meanwhile, and have nothing else.
        Those who do not read what is broken may answer out of the rest of the release.
        """
        self.work.bucket.put(self.kept_key, self.good_manifest, "application/json")
        for file, body in broken.bodies.items():
            self.work.bucket.put(self.prefix + file, body)
        self.work.bucket.put(self.key, broken.manifest, "application/json")
        time.sleep(REFRESH_SECONDS + 0.2)
        try:
            served = self._serves(readers)
            refused = _until(lambda: bool(self._problems()))
            # Once more, when everybody has seen it.
            served &= self._serves(readers)
        finally:
            self.work.bucket.put(self.key, self.good_manifest, "application/json")
            self.work.bucket.delete([f"{self.prefix}{file}" for file in broken.bodies])
        healed = _until(lambda: self._serves(EVERYONE) and not self._problems())
        return Tried(name, refused, served and healed)

    def _serves(self, readers: Collection[str]) -> bool:
        """Tell whether every answer is a good one, and out of the good release where `readers` give it."""
        return all(self._is_good(answer, strict=reader in readers) for reader, answer in self._ask())

    def _ask(self) -> Iterator[tuple[str, Answer]]:
        api, matches = self.work.api, self.work.matches
        for path in ("predictions", "cards", "odds", "region-roi"):
            yield PRECOMPUTED, api.get(f"/predict/{path}/")
        match = api.get(f"/predict/precomputed/{matches[0]}")
        yield PRECOMPUTED, match
        yield COMPUTED, api.get(f"/predict/{matches[1]}")
        for _ in range(3):
            yield COMPUTED, api.post("/predict/", {"features": match.json["features"]})
        task = api.post("/predict/async/", {"match_id": matches[2], "priority": "high"})
        yield COMPUTED, task
        if task.status == 202:
            self.work.api.wait(task.json["task_id"], seconds=60)
            yield COMPUTED, api.get(f"/results/{task.json['task_id']}")

    def _is_good(self, answer: Answer, *, strict: bool) -> bool:
        content = answer.json
        snapshots = {None, self.snapshot_id} | (set() if strict else {corruptions.SNAPSHOT_ID})
        return (
            answer.status in (200, 202)
            and (content.get("model") or {}).get("version", self.version) == self.version
            and content.get("snapshot_id") in snapshots
        )

    def _problems(self) -> list[Any]:
        health = self.work.api.get("/health").expect(200)
        info = self.work.api.get("/predict/model/info").expect(200)
        return [problem for problem in (health["snapshot"]["problem"], info["problem"]) if problem]


def broken_models(work: Bench) -> Iterator[Tried]:
    """Try every broken release of a model."""
    manifest, place = _place(work, f"models/matchcast/{corruptions.VERSION}-0/", MODEL_MANIFEST_KEY)
    champion = manifest.stages["champion"]
    good = read_files(work.bucket, champion.prefix, champion.files)
    describe = corruptions.broken_model(manifest, place.prefix)
    for name, broken in corruptions.model_breaks(len(champion.signature.inputs)).items():
        yield place.try_release(name, broken(good, describe))


def broken_snapshots(work: Bench) -> Iterator[Tried]:
    """Try every broken release of a snapshot."""
    _, place = _place(work, f"snapshots/{corruptions.SNAPSHOT_ID}/", SNAPSHOT_MANIFEST_KEY)
    manifest = SnapshotManifest.parse(place.good_manifest, place.key)
    good = read_files(work.bucket, manifest.prefix, manifest.files)
    describe = corruptions.broken_snapshot(manifest, place.prefix)
    for name, (broken, readers) in corruptions.SNAPSHOT_BREAKS.items():
        yield place.try_release(name, broken(good, describe), readers)


def _place(work: Bench, prefix: str, key: str) -> tuple[ModelManifest, Place]:
    models = read_manifest(work.bucket, MODEL_MANIFEST_KEY, ModelManifest)
    snapshots = read_manifest(work.bucket, SNAPSHOT_MANIFEST_KEY, SnapshotManifest)
    if models.manifest is None or snapshots.manifest is None:
        raise RuntimeError("nothing is published")
    champion, snapshot_id = models.manifest.stages["champion"], snapshots.manifest.snapshot_id
    if key == MODEL_MANIFEST_KEY:
        kept, good = model_release_key(models.manifest.release), models.body
    else:
        kept, good = snapshots.manifest.kept_key, snapshots.body
    return models.manifest, Place(work, prefix, key, kept, good, champion.version, snapshot_id)


def _until(holds: Callable[[], bool]) -> bool:
    """Tell whether something comes to hold while everybody has time to look."""
    give_up = time.monotonic() + NOTICED_SECONDS
    while time.monotonic() < give_up:
        if holds():
            return True
        time.sleep(0.3)
    return False
