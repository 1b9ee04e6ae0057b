"""Readers of releases: refresh, verification, and the last good version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest

from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.domain.manifests import (
    MODEL_MANIFEST_KEY,
    SNAPSHOT_MANIFEST_KEY,
    FileEntry,
    ModelManifest,
    PublishedModel,
    SnapshotManifest,
    model_release_key,
)
from matchcast.domain.prediction import ModelRef
from matchcast.domain.signature import Column, Signature
from matchcast.errors import (
    DigestMismatch,
    ManifestInvalid,
    ModelUnavailable,
    ReleaseRefused,
    SnapshotUnavailable,
    StageNotFound,
    StorageUnavailable,
)
from matchcast.use_cases.releases import (
    MATCH_FEATURES,
    MATCH_IDS,
    FeatureRows,
    FeatureTable,
    ManifestReader,
    MatchIds,
    Shelf,
    read_files,
)

if TYPE_CHECKING:
    from matchcast.ports import ListedObject, StoredObject

NOW = datetime(2026, 11, 21, 7, tzinfo=UTC)
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
    stages = {}
    for stage, text in artifacts.items():
        body = text.encode()
        prefix = f"models/matchcast/{text}/"
        objects.put(prefix + "model.onnx", body)
        stages[stage] = PublishedModel(
            name="matchcast",
            version=text,
            run_id=f"run-{text}",
            runtime="onnx",
            prefix=prefix,
            files={"model.onnx": FileEntry.of(body)},
            signature=Signature(inputs=(Column(name="elo", type="float"),)),
        )
    manifest = ModelManifest(release=release, published_at=NOW, stages=stages)
    objects.put(MODEL_MANIFEST_KEY, manifest.body())


def publish_snapshot(objects: InMemoryObjects, snapshot_id: str, ids: tuple[str, ...] = IDS) -> None:
    bodies = {MATCH_IDS: "".join(f"{match_id}\n" for match_id in ids).encode(), MATCH_FEATURES: snapshot_id.encode()}
    prefix = f"snapshots/{snapshot_id}/"
    for name, body in bodies.items():
        objects.put(prefix + name, body)
    manifest = SnapshotManifest(
        snapshot_id=snapshot_id,
        created_at=NOW,
        as_of=NOW,
        prefix=prefix,
        bookmaker="fonbet",
        model=ModelRef(name="matchcast", version="1", stage="champion", run_id="r"),
        files={name: FileEntry.of(body) for name, body in bodies.items()},
    )
    objects.put(SNAPSHOT_MANIFEST_KEY, manifest.body())


def parse_fake(body: bytes) -> FeatureTable:
    """Read a fake features file: its text ends up in nothing but the refusal of `bad` ones."""
    if body.startswith(b"bad"):
        raise ManifestInvalid("no features")
    values = np.array([[1, 2], [3, 4], [5, 6]], dtype=np.float32)
    return FeatureTable({match_id: row for row, match_id in enumerate(IDS)}, ("elo", "form"), values, [0, 1000, 2000])


@pytest.fixture
def objects() -> CountingObjects:
    return CountingObjects()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def models(objects: CountingObjects, clock: Clock) -> ManifestReader[ModelManifest]:
    return ManifestReader(objects, MODEL_MANIFEST_KEY, ModelManifest, 30, clock)


def snapshots(objects: CountingObjects, clock: Clock) -> ManifestReader[SnapshotManifest]:
    return ManifestReader(objects, SNAPSHOT_MANIFEST_KEY, SnapshotManifest, 30, clock)


class TestManifestReader:
    def test_asks_once_within_the_refresh_time_and_once_after_it(self, objects: CountingObjects, clock: Clock) -> None:
        publish_models(objects, 1, champion="a")
        reader = models(objects, clock)

        first = reader.current()
        clock.now += 29.9
        assert reader.current() is first
        assert objects.asked == [MODEL_MANIFEST_KEY]
        clock.now += 0.1
        assert reader.current() is first
        assert objects.asked == [MODEL_MANIFEST_KEY] * 2

    def test_picks_up_a_newer_manifest(self, objects: CountingObjects, clock: Clock) -> None:
        publish_models(objects, 1, champion="a")
        reader = models(objects, clock)
        reader.current()

        publish_models(objects, 2, champion="b")
        clock.now += 30

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
        publish_models(objects, 1, champion="a")
        reader = models(objects, clock)
        reader.current()

        objects.put(MODEL_MANIFEST_KEY, body)
        clock.now += 30

        assert reader.current().release == 1
        assert isinstance(reader.problem, ManifestInvalid)

    def test_remembers_the_problem_while_the_bad_manifest_stays(self, objects: CountingObjects, clock: Clock) -> None:
        publish_models(objects, 1, champion="a")
        reader = models(objects, clock)
        reader.current()
        objects.put(MODEL_MANIFEST_KEY, b"{")

        for _ in range(3):
            clock.now += 30
            reader.current()
            assert isinstance(reader.problem, ManifestInvalid)

        publish_models(objects, 1, champion="a")
        clock.now += 30
        reader.current()
        assert reader.problem is None

    def test_a_deleted_manifest_is_a_problem_until_it_is_back(self, objects: CountingObjects, clock: Clock) -> None:
        publish_models(objects, 1, champion="a")
        reader = models(objects, clock)
        reader.current()

        objects.remove(MODEL_MANIFEST_KEY)
        for _ in range(2):
            clock.now += 30
            assert reader.current().release == 1
            assert isinstance(reader.problem, ManifestInvalid)

        publish_models(objects, 2, champion="a")
        clock.now += 30
        assert reader.current().release == 2
        assert reader.problem is None

    def test_a_bucket_out_of_reach_keeps_the_last_good_manifest(self, objects: CountingObjects, clock: Clock) -> None:
        publish_models(objects, 1, champion="a")
        reader = models(objects, clock)
        reader.current()

        objects.is_out_of_reach = True
        clock.now += 30
        assert reader.current().release == 1
        assert isinstance(reader.problem, StorageUnavailable)
        reader.current()
        assert len(objects.asked) == 2

        objects.is_out_of_reach = False
        clock.now += 30
        reader.current()
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


class TestShelf:
    def test_loads_an_artifact_once_for_all_stages_and_requests(self, objects: CountingObjects, clock: Clock) -> None:
        publish_models(objects, 1, champion="a", candidate="a", smoke="b")
        load = Loader()
        shelf = Shelf(models(objects, clock), objects, load)

        for _ in range(3):
            assert shelf.get("champion").model is shelf.get("candidate").model
            assert shelf.get("smoke").published.version == "b"

        assert load.loaded == ["a", "b"]
        assert shelf.get("candidate").stage == "candidate"
        assert shelf.get("champion").loaded_at.tzinfo is UTC

    def test_serves_a_newly_published_version_after_the_refresh(self, objects: CountingObjects, clock: Clock) -> None:
        publish_models(objects, 1, champion="a")
        shelf = Shelf(models(objects, clock), objects, Loader())
        shelf.get("champion")

        publish_models(objects, 2, champion="b")
        assert shelf.get("champion").published.version == "a"
        clock.now += 30
        assert shelf.get("champion").published.version == "b"

    def test_an_unknown_stage_is_not_found_and_the_message_names_the_known_ones(
        self, objects: CountingObjects, clock: Clock
    ) -> None:
        publish_models(objects, 1, champion="a", smoke="b")
        with pytest.raises(StageNotFound, match="champion, smoke"):
            Shelf(models(objects, clock), objects, Loader()).get("nobody")

    @pytest.mark.parametrize("fault", ["flipped", "truncated", "missing", "refused by the loader"])
    def test_keeps_the_last_good_version_when_a_new_one_is_refused(
        self, objects: CountingObjects, clock: Clock, fault: str
    ) -> None:
        # GIVEN a served version
        publish_models(objects, 1, champion="a")
        load = Loader()
        shelf = Shelf(models(objects, clock), objects, load)
        shelf.get("champion")

        # WHEN a broken one is published
        publish_models(objects, 2, champion="bad")
        key = "models/matchcast/bad/model.onnx"
        if fault == "flipped":
            objects.put(key, b"bae")
        elif fault == "truncated":
            objects.put(key, b"ba")
        elif fault == "missing":
            objects.remove(key)
        clock.now += 30

        # THEN the old one serves, with the reason, and the broken one is not tried by every request
        for _ in range(3):
            assert shelf.get("champion").published.version == "a"
        assert isinstance(shelf.problem, ReleaseRefused)
        assert objects.asked.count(key) == 1
        assert load.loaded == (["a", "bad"] if fault == "refused by the loader" else ["a"])

        # AND a mended one is taken up
        publish_models(objects, 3, champion="c")
        clock.now += 30
        assert shelf.get("champion").published.version == "c"
        assert shelf.problem is None

    def test_a_refused_version_is_tried_again_after_the_next_check(
        self, objects: CountingObjects, clock: Clock
    ) -> None:
        publish_models(objects, 1, champion="a")
        shelf = Shelf(models(objects, clock), objects, Loader())
        shelf.get("champion")
        publish_models(objects, 2, champion="b")
        objects.put("models/matchcast/b/model.onnx", b"half")
        clock.now += 30
        assert shelf.get("champion").published.version == "a"

        objects.put("models/matchcast/b/model.onnx", b"b")
        clock.now += 30

        assert shelf.get("champion").published.version == "b"

    def test_going_back_to_the_served_version_ends_the_problem(self, objects: CountingObjects, clock: Clock) -> None:
        publish_models(objects, 1, champion="a")
        load = Loader()
        shelf = Shelf(models(objects, clock), objects, load)
        shelf.get("champion")
        publish_models(objects, 2, champion="bad")
        clock.now += 30
        shelf.get("champion")
        assert shelf.problem is not None

        publish_models(objects, 3, champion="a")
        clock.now += 30

        assert shelf.get("champion").published.version == "a"
        assert shelf.problem is None
        assert load.loaded == ["a", "bad"]

    def test_a_bucket_that_goes_away_between_manifest_and_artifact(
        self, objects: CountingObjects, clock: Clock
    ) -> None:
        # GIVEN a bucket that answers for manifests only
        publish_models(objects, 1, champion="a")
        shelf = Shelf(models(objects, clock), objects, Loader())
        objects.unreadable = "model.onnx"

        # THEN there is no model, and each request tries again
        for _ in range(2):
            with pytest.raises(ModelUnavailable, match="did not answer"):
                shelf.get("champion")
        objects.unreadable = None
        assert shelf.get("champion").published.version == "a"

        # AND later the last good version stays, and is not asked for by every request
        publish_models(objects, 2, champion="b")
        objects.unreadable = "model.onnx"
        clock.now += 30
        for _ in range(3):
            assert shelf.get("champion").published.version == "a"
        assert isinstance(shelf.problem, StorageUnavailable)
        assert objects.asked.count("models/matchcast/b/model.onnx") == 1

    def test_with_no_good_version_the_model_is_unavailable(self, objects: CountingObjects, clock: Clock) -> None:
        publish_models(objects, 1, champion="bad")
        with pytest.raises(ModelUnavailable, match="no model"):
            Shelf(models(objects, clock), objects, Loader()).get("champion")


class TestFeatureRows:
    def test_returns_known_matches_in_the_order_of_the_signature(self, objects: CountingObjects, clock: Clock) -> None:
        publish_snapshot(objects, "s1")
        rows = FeatureRows(snapshots(objects, clock), objects, parse_fake).rows(
            [IDS[2], "e0-2026-01-01-no-body", IDS[0]], ["form", "elo"]
        )

        assert {match_id: list(row.values) for match_id, row in rows.items()} == {IDS[2]: [6, 5], IDS[0]: [2, 1]}
        assert rows[IDS[2]].as_of == datetime(1970, 1, 1, 0, 0, 2, tzinfo=UTC)
        assert rows[IDS[2]].snapshot_id == "s1"

    def test_no_match_is_no_row(self, objects: CountingObjects, clock: Clock) -> None:
        publish_snapshot(objects, "s1")
        assert FeatureRows(snapshots(objects, clock), objects, parse_fake).rows(["unknown"], ["elo"]) == {}

    def test_a_feature_that_the_snapshot_lacks_is_named(self, objects: CountingObjects, clock: Clock) -> None:
        publish_snapshot(objects, "s1")
        with pytest.raises(SnapshotUnavailable, match="weather"):
            FeatureRows(snapshots(objects, clock), objects, parse_fake).rows([IDS[0]], ["elo", "weather"])

    def test_keeps_the_last_good_snapshot(self, objects: CountingObjects, clock: Clock) -> None:
        publish_snapshot(objects, "s1")
        features = FeatureRows(snapshots(objects, clock), objects, parse_fake)
        features.rows([IDS[0]], ["elo"])

        publish_snapshot(objects, "bad")
        clock.now += 30

        assert features.rows([IDS[0]], ["elo"])[IDS[0]].snapshot_id == "s1"
        assert isinstance(features.problem, ManifestInvalid)


class TestMatchIds:
    def test_knows_exactly_the_ids_of_the_snapshot(self, objects: CountingObjects, clock: Clock) -> None:
        ids = tuple(sorted(f"e{n % 7}-2026-11-{n % 28 + 1:02d}-team{n * 37 % 100}-x" for n in range(50)))
        publish_snapshot(objects, "s1", ids)
        known = MatchIds(snapshots(objects, clock), objects)

        assert all(match_id in known for match_id in ids)
        strangers = [f"{ids[0]}x", ids[0][:-1], ids[-1] + "z", "", "a", "zz", f"{ids[0]}\n{ids[1]}", "\ud800", "é"]
        assert not any(stranger in known for stranger in strangers)

    def test_reads_the_list_once(self, objects: CountingObjects, clock: Clock) -> None:
        publish_snapshot(objects, "s1")
        known = MatchIds(snapshots(objects, clock), objects)
        assert [match_id in known for match_id in IDS] == [True, True, True]
        assert len(objects.asked) == 2

    def test_an_empty_list_knows_nothing(self, objects: CountingObjects, clock: Clock) -> None:
        publish_snapshot(objects, "s1", ())
        assert IDS[0] not in MatchIds(snapshots(objects, clock), objects)

    def test_unsorted_lines_are_refused_and_the_last_good_list_stays(
        self, objects: CountingObjects, clock: Clock
    ) -> None:
        publish_snapshot(objects, "s1")
        known = MatchIds(snapshots(objects, clock), objects)
        assert IDS[0] in known

        publish_snapshot(objects, "s2", (IDS[1], IDS[0]))
        clock.now += 30

        assert IDS[2] in known
        assert isinstance(known.problem, ManifestInvalid)


class TestEnvironmentThatStartsWhileTheNewestReleaseIsBroken:
    """It has served nothing yet, so it takes the newest release before that is whole."""

    def keep(self, objects: InMemoryObjects, kind: str, key: str) -> None:
        """Keep the present manifest, as a publisher does before it switches."""
        stored = objects.get(MODEL_MANIFEST_KEY if kind == "models" else SNAPSHOT_MANIFEST_KEY)
        assert stored is not None
        objects.put(key, stored.body)

    @pytest.fixture
    def three_releases(self, objects: CountingObjects) -> CountingObjects:
        """Releases of the versions a, b and c, and then one of a version that no loader takes."""
        for release, text in enumerate(("a", "b", "c"), start=1):
            publish_models(objects, release, champion=text)
            self.keep(objects, "models", model_release_key(release))
        publish_models(objects, 4, champion="bad")
        return objects

    def test_serves_the_version_before_and_says_why(self, three_releases: CountingObjects, clock: Clock) -> None:
        load = Loader()
        shelf = Shelf(models(three_releases, clock), three_releases, load)

        for _ in range(3):
            assert shelf.get("champion").published.version == "c"

        assert isinstance(shelf.problem_of("champion"), ReleaseRefused)
        assert load.loaded == ["bad", "c"]

    def test_goes_further_back_where_that_one_is_broken_too(
        self, three_releases: CountingObjects, clock: Clock
    ) -> None:
        three_releases.put("models/matchcast/c/model.onnx", b"half")
        three_releases.put(model_release_key(2), b"{")

        shelf = Shelf(models(three_releases, clock), three_releases, Loader())

        assert shelf.get("champion").published.version == "a"

    @pytest.mark.parametrize("manifest", [b"{", b'{"schema_version": 99}'])
    def test_takes_the_manifest_before_where_the_newest_cannot_be_read(
        self, three_releases: CountingObjects, clock: Clock, manifest: bytes
    ) -> None:
        three_releases.put(MODEL_MANIFEST_KEY, manifest)
        reader = models(three_releases, clock)
        shelf = Shelf(reader, three_releases, Loader())

        assert shelf.get("champion").published.version == "c"
        assert isinstance(reader.problem, ManifestInvalid)

        # AND the mended manifest is taken up
        publish_models(three_releases, 5, champion="d")
        clock.now += 30
        assert shelf.get("champion").published.version == "d"
        assert shelf.problem is None

    def test_takes_up_the_mended_release(self, three_releases: CountingObjects, clock: Clock) -> None:
        shelf = Shelf(models(three_releases, clock), three_releases, Loader())
        shelf.get("champion")

        publish_models(three_releases, 5, champion="d")
        clock.now += 30

        assert shelf.get("champion").published.version == "d"
        assert shelf.problem is None

    def test_is_unavailable_where_nothing_before_can_be_read(self, objects: CountingObjects, clock: Clock) -> None:
        class Unlisted(CountingObjects):
            def list_objects(self, prefix: str) -> Sequence[ListedObject]:
                raise StorageUnavailable("The data bucket did not answer.")

        unlisted = Unlisted()
        publish_models(unlisted, 1, champion="bad")
        with pytest.raises(ModelUnavailable):
            Shelf(models(unlisted, clock), unlisted, Loader()).get("champion")
        publish_models(objects, 1, champion="bad")
        self.keep(objects, "models", model_release_key(1))
        with pytest.raises(ModelUnavailable):
            Shelf(models(objects, clock), objects, Loader()).get("champion")

    @pytest.mark.parametrize("broken", ["file", "manifest", "nowhere"])
    def test_reads_the_features_and_ids_of_the_snapshot_before(
        self, objects: CountingObjects, clock: Clock, broken: str
    ) -> None:
        publish_snapshot(objects, "s1")
        self.keep(objects, "snapshots", "snapshots/s1/manifest.json")
        publish_snapshot(objects, "s2")
        if broken == "manifest":
            objects.put(SNAPSHOT_MANIFEST_KEY, b"{")
        for name in (MATCH_IDS, MATCH_FEATURES):
            if broken == "file":
                objects.put(f"snapshots/s2/{name}", b"bad")
            elif broken == "nowhere":
                objects.remove(f"snapshots/s2/{name}")
        features = FeatureRows(snapshots(objects, clock), objects, parse_fake)
        known = MatchIds(snapshots(objects, clock), objects)

        assert features.rows([IDS[0]], ["elo"])[IDS[0]].snapshot_id == "s1"
        assert features.snapshot_id == "s1"
        assert IDS[0] in known
        assert features.problem is not None
        assert known.problem is not None
