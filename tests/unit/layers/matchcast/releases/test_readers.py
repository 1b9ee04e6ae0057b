"""Manifests and files: refreshed in time, verified before they are read."""

from __future__ import annotations

import pytest

from matchcast.domain.manifests import (
    MODEL_MANIFEST_KEY,
    FileEntry,
)
from matchcast.errors import (
    DigestMismatch,
    ManifestInvalid,
    ModelUnavailable,
    SnapshotUnavailable,
    StorageUnavailable,
)
from matchcast.ports import StoredObject
from matchcast.releases.files import read_files
from tests.support.counted_releases import (
    Clock,
    CountingObjects,
    models,
    publish_models,
    snapshots,
)


class TestManifestReader:
    def test_asks_once_within_the_refresh_time_and_once_after_it(self, objects: CountingObjects, clock: Clock) -> None:
        # GIVEN
        publish_models(objects, 1, champion="a")
        reader = models(objects, clock)

        # WHEN the manifest is read twice within the refresh time
        first = reader.current()
        clock.now += 29.9

        # THEN
        assert reader.current() is first
        assert objects.asked == [MODEL_MANIFEST_KEY]

        # WHEN the refresh time is over
        clock.now += 0.1

        # THEN
        assert reader.current() is first
        assert objects.asked == [MODEL_MANIFEST_KEY] * 2

    def test_a_bucket_that_hangs_is_asked_again_only_after_the_refresh_time(self, clock: Clock) -> None:
        # GIVEN a manifest that was read, and a bucket whose answers then take longer than it is trusted
        class Hanging(CountingObjects):
            hangs = False

            def get_if_changed(self, key: str, etag: str) -> StoredObject | None:
                found = super().get_if_changed(key, etag)
                if self.hangs:
                    clock.now += 31
                    raise StorageUnavailable("no answer")
                return found

        objects = Hanging()
        publish_models(objects, 1, champion="a")
        reader = models(objects, clock)
        first = reader.current()
        clock.now += 30
        objects.hangs = True

        # WHEN requests come one after the other
        assert [reader.current() for _ in range(5)] == [first] * 5

        # THEN one of them waited
        assert objects.asked == [MODEL_MANIFEST_KEY] * 2

    @pytest.mark.parametrize("is_defect", [True, False])
    def test_a_bucket_that_refuses_the_call_is_told_from_one_that_is_out_of_reach(
        self, clock: Clock, is_defect: bool
    ) -> None:
        # GIVEN a bucket whose errors are a defect, or may pass
        class Failing(CountingObjects):
            def get(self, key: str) -> StoredObject | None:
                error = StorageUnavailable("The data bucket failed.")
                error.is_defect = is_defect
                raise error

        # WHEN nothing good was ever read
        with pytest.raises(ModelUnavailable) as caught:
            models(Failing(), clock).current()

        # THEN the error is the same, and says whose fault it is
        assert caught.value.is_defect is is_defect

    def test_picks_up_a_newer_manifest(self, objects: CountingObjects, clock: Clock) -> None:
        # GIVEN a manifest that was read
        publish_models(objects, 1, champion="a")
        reader = models(objects, clock)
        reader.current()

        # WHEN a newer one is published and the refresh time is over
        publish_models(objects, 2, champion="b")
        clock.now += 30

        # THEN
        assert reader.current().release == 2
        assert reader.problem is None
        assert reader.checked_at is not None

    @pytest.mark.parametrize(
        "body",
        [b"", b"{", b"null", b'{"schema_version": 2}', b'{"schema_version": 1, "release": 3}'],
        ids=["empty", "half written", "null", "another schema", "fields missing"],
    )
    def test_keeps_the_last_good_manifest_and_says_what_is_wrong_with_the_new_one(
        self, objects: CountingObjects, clock: Clock, body: bytes
    ) -> None:
        # GIVEN a manifest that was read
        publish_models(objects, 1, champion="a")
        reader = models(objects, clock)
        reader.current()

        # WHEN a bad one takes its place
        objects.put(MODEL_MANIFEST_KEY, body)
        clock.now += 30

        # THEN
        assert reader.current().release == 1
        assert isinstance(reader.problem, ManifestInvalid)

    def test_remembers_the_problem_while_the_bad_manifest_stays(self, objects: CountingObjects, clock: Clock) -> None:
        # GIVEN a bad manifest in place of one that was read
        publish_models(objects, 1, champion="a")
        reader = models(objects, clock)
        reader.current()
        objects.put(MODEL_MANIFEST_KEY, b"{")

        # WHEN it stays
        # THEN every check keeps the problem
        for _ in range(3):
            clock.now += 30
            reader.current()
            assert isinstance(reader.problem, ManifestInvalid)

        # WHEN a good one takes its place
        publish_models(objects, 1, champion="a")
        clock.now += 30
        reader.current()

        # THEN
        assert reader.problem is None

    def test_a_deleted_manifest_is_a_problem_until_it_is_back(self, objects: CountingObjects, clock: Clock) -> None:
        # GIVEN a manifest that was read
        publish_models(objects, 1, champion="a")
        reader = models(objects, clock)
        reader.current()

        # WHEN it is deleted
        # THEN the last good one stays, with a problem
        objects.remove(MODEL_MANIFEST_KEY)
        for _ in range(2):
            clock.now += 30
            assert reader.current().release == 1
            assert isinstance(reader.problem, ManifestInvalid)

        # WHEN a manifest is published again
        publish_models(objects, 2, champion="a")
        clock.now += 30

        # THEN
        assert reader.current().release == 2
        assert reader.problem is None

    def test_a_bucket_out_of_reach_keeps_the_last_good_manifest(self, objects: CountingObjects, clock: Clock) -> None:
        # GIVEN a manifest that was read
        publish_models(objects, 1, champion="a")
        reader = models(objects, clock)
        reader.current()

        # WHEN the bucket is out of reach
        objects.is_out_of_reach = True
        clock.now += 30

        # THEN the last good one stays, and the bucket is not asked by every request
        assert reader.current().release == 1
        assert isinstance(reader.problem, StorageUnavailable)
        reader.current()
        assert len(objects.asked) == 2

        # WHEN the bucket is back
        objects.is_out_of_reach = False
        clock.now += 30
        reader.current()

        # THEN
        assert reader.problem is None

    def test_without_anything_good_it_says_so_and_asks_again_at_once(
        self, objects: CountingObjects, clock: Clock
    ) -> None:
        reader = models(objects, clock)
        with pytest.raises(ModelUnavailable, match="nothing has been published"):
            reader.current()
        with pytest.raises(SnapshotUnavailable):
            snapshots(objects, clock).current()

        publish_models(objects, 1, champion="a")
        assert reader.current().release == 1


class TestReadFiles:
    def test_returns_the_bodies_that_the_manifest_names(self, objects: CountingObjects) -> None:
        objects.put("p/a", b"one")
        objects.put("p/b", b"two")
        files = {"a": FileEntry.of(b"one"), "b": FileEntry.of(b"two")}

        assert read_files(objects, "p/", files) == {"a": b"one", "b": b"two"}
        assert read_files(objects, "p/", files, ["b"]) == {"b": b"two"}

    @pytest.mark.parametrize("stored", [b"onf", b"on", b"one+"], ids=["a flipped byte", "truncated", "longer"])
    def test_refuses_other_bytes(self, objects: CountingObjects, stored: bytes) -> None:
        objects.put("p/a", stored)
        with pytest.raises(DigestMismatch, match="p/a"):
            read_files(objects, "p/", {"a": FileEntry.of(b"one")})

    def test_refuses_a_missing_file_and_an_unknown_name(self, objects: CountingObjects) -> None:
        with pytest.raises(ManifestInvalid, match="not there"):
            read_files(objects, "p/", {"a": FileEntry.of(b"one")})
        with pytest.raises(ManifestInvalid, match="no file c"):
            read_files(objects, "p/", {}, ["c"])
