"""The releases of the models, read from the present manifest and those kept before it: what was served when, and why.

All that the history, and going back, needs is in the bucket; the MLflow registry is not asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import BaseModel, ConfigDict, PlainSerializer

from matchcast.domain.manifests import (
    MODEL_MANIFEST_KEY,
    MODEL_RELEASES_PREFIX,
    Change,
    ModelManifest,
    Move,
    PublishedModel,
    model_release_key,
)
from matchcast.errors import ManifestInvalid
from matchcast.ports import ReleaseStore
from matchcast.releases.publishing import Present, read_manifest

UNKNOWN = "unknown"


class ReleaseHistory:
    """The present manifest and the kept ones, which are read as they are needed.

    Attributes
    ----------
    present
        The manifest that is served now, as a publisher found it.
    numbers
        Every release that is known, newest first.
    """

    def __init__(self, objects: ReleaseStore) -> None:
        self._objects = objects
        self.present: Present[ModelManifest] = read_manifest(objects, MODEL_MANIFEST_KEY, ModelManifest)
        kept = {_number(each.key) for each in objects.list_objects(MODEL_RELEASES_PREFIX)} - {0}
        self._read: dict[int, ModelManifest | None] = {}
        if self.present.manifest is not None:
            self._read[self.present.manifest.release] = self.present.manifest
        self.numbers: tuple[int, ...] = tuple(sorted(kept | self._read.keys(), reverse=True))

    @property
    def next_number(self) -> int:
        """Return a number that no release has had.

        A manifest that is gone, or that cannot be read, had one too: the one after the newest that was kept.
        """
        lost = self.present.manifest is None and (self.present.etag is not None or bool(self.numbers))
        return max(self.numbers, default=0) + (2 if lost else 1)

    @property
    def served(self) -> ModelManifest | None:
        """Return the present manifest, or the newest kept one where that is gone or unreadable."""
        return self.present.manifest or next((each for _, each in self._from_newest()), None)

    def get(self, number: int) -> ModelManifest | None:
        """Return a release; None where it is not kept or cannot be read."""
        if number not in self._read:
            key = model_release_key(number)
            stored = self._objects.get(key) if number in self.numbers else None
            try:
                self._read[number] = None if stored is None else ModelManifest.parse(stored.body, key)
            except ManifestInvalid:
                self._read[number] = None
        return self._read[number]

    def before(self, stage: str) -> int | None:
        """Return the newest release with what a stage served before its present version; None if there is none.

        After a rollback that is one further back, not the version that was rolled back from.
        """
        served = self.served
        if served is None:
            return None
        present = served.stages.get(stage)
        if self.present.manifest is None and present is not None:
            # What is served now cannot be read, so the newest release that can is the one before.
            return served.release
        for number, manifest in self._from_newest(below=self.origin(stage, served.release)):
            model = manifest.stages.get(stage)
            if model is not None and not model.is_same(present):
                return number
        return None

    def origin(self, stage: str, number: int) -> int:
        """Return the release that brought the version that a stage has in this one, seen through rollbacks."""
        while (manifest := self.get(number)) is not None:
            restored = _restored(manifest, stage)
            if restored is not None and restored < number and self.get(restored) is not None:
                number = restored
                continue
            earlier = next(self._from_newest(below=number), None)
            if earlier is None or not _same(manifest.stages.get(stage), earlier[1].stages.get(stage)):
                break
            number = earlier[0]
        return number

    def entries(self, stage: str | None = None) -> Iterator[Entry]:
        """Yield every release, newest first; with a stage only those that changed what it serves."""
        for number in self.numbers:
            entry = self._entry(number)
            if stage is None or stage in entry.stages:
                yield entry

    def stages(self) -> tuple[str, ...]:
        """Return every stage that a release has had, sorted."""
        return tuple(sorted({stage for _, manifest in self._from_newest() for stage in manifest.stages}))

    def _entry(self, number: int) -> Entry:
        manifest = self.get(number)
        if manifest is None:
            return Entry(release=number, is_served=False, at=None, action="unreadable", by=UNKNOWN)
        earlier = next(self._from_newest(below=number), None)
        change = manifest.change or Change(
            action="publish",
            by=UNKNOWN,
            at=manifest.published_at,
            stages=moves(earlier[1].stages if earlier else {}, manifest.stages),
        )
        return Entry(release=number, is_served=manifest is self.present.manifest, **dict(change))

    def _from_newest(self, below: int | None = None) -> Iterator[tuple[int, ModelManifest]]:
        """Yield the releases that can be read, newest first."""
        for number in self.numbers:
            if below is None or number < below:
                manifest = self.get(number)
                if manifest is not None:
                    yield number, manifest


class Entry(BaseModel):
    """One line of the history: the change that a release made; `at` is None only where its manifest is unreadable."""

    model_config = ConfigDict(frozen=True)

    release: int
    is_served: bool
    at: Annotated[datetime, PlainSerializer(datetime.isoformat)] | None
    action: str
    by: str
    why: str | None = None
    stages: dict[str, Move] = {}
    figures: dict[str, float] = {}
    restores: int | None = None


def moves(before: Mapping[str, PublishedModel], after: Mapping[str, PublishedModel]) -> dict[str, Move]:
    """Return the stages that differ, with the versions on both sides."""
    return {
        stage: _move(before.get(stage), after.get(stage))
        for stage in sorted(before.keys() | after.keys())
        if not _same(before.get(stage), after.get(stage))
    }


def _move(before: PublishedModel | None, after: PublishedModel | None) -> Move:
    """Return the versions; with the names of the registered models where these differ, for each counts its own."""
    if before is not None and after is not None and before.name != after.name:
        return Move(before=f"{before.name} {before.version}", after=f"{after.name} {after.version}")
    return Move(before=version_of(before), after=version_of(after))


def _same(one: PublishedModel | None, other: PublishedModel | None) -> bool:
    return other is None if one is None else one.is_same(other)


def version_of(model: PublishedModel | None) -> str | None:
    """Return the version that a stage serves; None where it serves none."""
    return None if model is None else model.version


def _restored(manifest: ModelManifest, stage: str) -> int | None:
    change = manifest.change
    return change.restores if change is not None and stage in change.stages else None


def _number(key: str) -> int:
    """Return the release that a key names; 0 where it names none."""
    stem = PurePosixPath(key).stem
    return int(stem) if stem.isdecimal() and key == model_release_key(int(stem)) else 0
