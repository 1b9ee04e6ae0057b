"""Retention: only what is old, named by nothing, and still named by nothing right before it goes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.domain.manifests import (
    DATASET_MANIFEST_KEY,
    MODEL_MANIFEST_KEY,
    SNAPSHOT_MANIFEST_KEY,
    DatasetManifest,
)
from matchcast.errors import ManifestInvalid
from matchcast.releases.retention import DATASETS_KEPT, prune, prune_datasets, prune_snapshots
from tests.support.objects import keys
from tests.support.snapshots import put_snapshot

NOW = datetime(2026, 11, 21, 7, tzinfo=UTC)
LIMIT = NOW - timedelta(hours=1)


@pytest.fixture
def objects() -> InMemoryObjects:
    """Return a bucket with three old snapshots of two files each."""
    objects = InMemoryObjects(lambda: NOW - timedelta(days=1))
    for number in (1, 2, 3):
        for name in ("a", "b"):
            objects.put(f"snapshots/{number}/{name}", b"")
    return objects


def test_deletes_what_is_old_and_named_by_nothing(objects: InMemoryObjects) -> None:
    deleted = prune(objects, "snapshots/", kept=lambda: ["snapshots/2/"], older_than=LIMIT)

    assert deleted == ["snapshots/1/a", "snapshots/1/b", "snapshots/3/a", "snapshots/3/b"]
    assert keys(objects) == ["snapshots/2/a", "snapshots/2/b"]


def test_a_key_stays_as_well_as_a_prefix(objects: InMemoryObjects) -> None:
    prune(objects, "snapshots/", kept=lambda: {"snapshots/1/", "snapshots/3/b"}, older_than=LIMIT)

    assert keys(objects) == ["snapshots/1/a", "snapshots/1/b", "snapshots/3/b"]


def test_nothing_that_is_younger_than_the_limit_goes(objects: InMemoryObjects) -> None:
    # GIVEN the files of a release whose manifest is still to come
    objects.now = lambda: LIMIT
    objects.put("snapshots/4/a", b"")
    deleted = prune(objects, "snapshots/", kept=list, older_than=LIMIT)

    assert len(deleted) == 6
    assert keys(objects) == ["snapshots/4/a"]


def test_what_was_written_again_is_young_again(objects: InMemoryObjects) -> None:
    objects.now = lambda: NOW
    objects.put("snapshots/1/a", b"")
    prune(objects, "snapshots/", kept=list, older_than=LIMIT)

    assert keys(objects) == ["snapshots/1/a"]


def test_other_prefixes_are_not_looked_at(objects: InMemoryObjects) -> None:
    objects.put("snapshots-of-mine/1", b"")
    objects.put("models/1/model.onnx", b"")
    prune(objects, "snapshots/", kept=list, older_than=LIMIT)

    assert keys(objects) == ["models/1/model.onnx", "snapshots-of-mine/1"]


def test_what_a_manifest_comes_to_name_meanwhile_stays(objects: InMemoryObjects) -> None:
    # GIVEN a rollback to the first release between the first look at the manifest and the deletion
    answers = [["snapshots/3/"], ["snapshots/3/", "snapshots/1/"]]
    deleted = prune(objects, "snapshots/", kept=lambda: answers.pop(0), older_than=LIMIT)

    # THEN both are there
    assert deleted == ["snapshots/2/a", "snapshots/2/b"]
    assert keys(objects, "snapshots/1/") == ["snapshots/1/a", "snapshots/1/b"]
    assert answers == []


def test_what_stays_is_asked_before_each_deletion() -> None:
    # GIVEN more objects than are deleted at once, and a manifest that comes to name the last one after the first lot
    objects = InMemoryObjects(lambda: NOW - timedelta(days=1))
    for number in range(1_500):
        objects.put(f"snapshots/{number:04d}/a", b"")
    looks: list[int] = []

    def kept() -> list[str]:
        looks.append(len(keys(objects)))
        return ["snapshots/1499/"] if len(looks) > 2 else []

    # WHEN
    deleted = prune(objects, "snapshots/", kept=kept, older_than=LIMIT)

    # THEN that one stays
    assert looks == [1_500, 1_500, 500]
    assert len(deleted) == 1_499
    assert keys(objects) == ["snapshots/1499/a"]


def test_a_manifest_that_cannot_be_read_keeps_everything(objects: InMemoryObjects) -> None:
    def kept() -> list[str]:
        raise ManifestInvalid("not to be read")

    before = keys(objects)
    with pytest.raises(ManifestInvalid):
        prune(objects, "snapshots/", kept=kept, older_than=LIMIT)
    assert keys(objects) == before


@pytest.mark.parametrize("manifest", [MODEL_MANIFEST_KEY, SNAPSHOT_MANIFEST_KEY, DATASET_MANIFEST_KEY])
def test_a_manifest_is_never_deleted(objects: InMemoryObjects, manifest: str) -> None:
    objects.put(manifest, b"{}")
    prune(objects, manifest.replace("manifest.json", ""), kept=list, older_than=LIMIT)

    assert keys(objects, manifest) == [manifest]


def test_nothing_old_needs_no_look_at_the_manifest() -> None:
    def kept() -> list[str]:
        raise AssertionError("asked for nothing")

    assert prune(InMemoryObjects(), "snapshots/", kept=kept, older_than=LIMIT) == []


@pytest.mark.parametrize("under", ["", "snapshots", "snapshots/1"])
def test_a_prefix_that_is_no_folder_is_refused(objects: InMemoryObjects, under: str) -> None:
    before = keys(objects)
    with pytest.raises(ValueError, match="ends with a slash"):
        prune(objects, under, kept=list, older_than=LIMIT)
    assert keys(objects) == before


class TestSnapshots:
    """Snapshots of so many minutes ago; the one that was published last is present."""

    def publish(self, *minutes_ago: int) -> InMemoryObjects:
        objects = InMemoryObjects()
        for ago in minutes_ago:
            at = NOW - timedelta(minutes=ago)
            objects.now = lambda at=at: at  # type: ignore[misc]
            put_snapshot(objects, {"a": b"", "b": b""}, snapshot_id=self.name(ago), created_at=at)
        return objects

    def name(self, ago: int) -> str:
        return f"{NOW - timedelta(minutes=ago):%Y%m%dT%H%M%SZ}-{ago:08x}"

    def left(self, objects: InMemoryObjects) -> list[str]:
        return sorted({key.split("/")[1] for key in keys(objects, "snapshots/")} - {"manifest.json"})

    def test_the_newest_stay_whole(self) -> None:
        objects = self.publish(240, 180, 120, 60, 0)
        deleted = prune_snapshots(objects, 3, NOW)

        assert self.left(objects) == [self.name(120), self.name(60), self.name(0)]
        assert deleted == sorted(f"snapshots/{self.name(ago)}/{file}" for ago in (240, 180) for file in "ab")
        assert keys(objects, f"snapshots/{self.name(120)}/") == [f"snapshots/{self.name(120)}/{file}" for file in "ab"]

    def test_fewer_than_are_kept_all_stay(self) -> None:
        objects = self.publish(240, 180, 0)
        assert prune_snapshots(objects, 24, NOW) == []

    def test_the_present_one_stays_however_old_it_is(self) -> None:
        # GIVEN newer ones whose manifest was never switched
        objects = self.publish(240, 180, 120, 65, 0, 300)
        prune_snapshots(objects, 2, NOW)

        assert self.left(objects) == [self.name(300), self.name(65), self.name(0)]

    def test_what_readers_may_still_hold_stays(self) -> None:
        # GIVEN more snapshots within an hour than are kept, and one that the first of them took the place of
        objects = self.publish(240, 180, 30, 20, 10, 0)
        prune_snapshots(objects, 2, NOW)

        assert self.left(objects) == [self.name(180), self.name(30), self.name(20), self.name(10), self.name(0)]

    @pytest.mark.parametrize("body", [None, b"{"])
    def test_without_a_manifest_that_can_be_read_everything_stays(self, body: bytes | None) -> None:
        objects = self.publish(240, 180, 120, 60, 0)
        objects.delete([SNAPSHOT_MANIFEST_KEY])
        if body is not None:
            objects.put(SNAPSHOT_MANIFEST_KEY, body)
        before = keys(objects)
        with pytest.raises(ManifestInvalid):
            prune_snapshots(objects, 2, NOW)
        assert keys(objects) == before


class TestDatasets:
    def test_the_newest_and_the_present_one_stay(self) -> None:
        # GIVEN three datasets more than are kept, the oldest of which is the present one
        objects = InMemoryObjects()
        names = [f"2026112{day}T070000Z-{day:08x}" for day in range(DATASETS_KEPT + 3)]
        for day, name in enumerate(names):
            at = datetime(2026, 11, 20 + day, 7, tzinfo=UTC)
            objects.now = lambda at=at: at  # type: ignore[misc]
            objects.put(f"datasets/{name}/matches.parquet", b"")
        first = DatasetManifest(
            dataset_id=names[0], created_at=NOW, as_of=NOW, prefix=f"datasets/{names[0]}/", files={}
        )
        objects.put(DATASET_MANIFEST_KEY, first.body())

        # WHEN old datasets are removed
        deleted = prune_datasets(objects, now=NOW + timedelta(days=30))

        # THEN
        assert deleted == [f"datasets/{name}/matches.parquet" for name in names[1:3]]
