from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.adapters.parquet_snapshot import parse_snapshot
from matchcast.domain.manifests import SNAPSHOT_MANIFEST_KEY, SnapshotManifest
from matchcast.domain.scorecard import Scorecard
from matchcast.errors import (
    DigestMismatch,
    ManifestInvalid,
    MatchNotFound,
    SnapshotNotPublished,
    SnapshotUnavailable,
    StorageUnavailable,
)
from matchcast.ports import StoredObject
from matchcast.releases.readers import ManifestReader
from matchcast.snapshots.serve import HealthStatus, ServeSnapshot, StaleAfter
from matchcast.snapshots.tables import Filters
from tests.support.snapshots import BOOKMAKER, NOW, SNAPSHOT_ID, prediction_rows, put_snapshot, snapshot_files

STALE, RESULTS_STALE = 86_400, 30 * 86_400
NEXT_ID = "20260302T000000Z-ffffffff"


class Bucket(InMemoryObjects):
    """Objects that count their reads and can be out of reach."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[str] = []
        self.down = False

    def get(self, key: str) -> StoredObject | None:
        self.reads.append(key)
        if self.down:
            raise StorageUnavailable("The data bucket did not answer.")
        return super().get(key)

    def get_if_changed(self, key: str, etag: str) -> StoredObject | None:
        self.reads.append(key)
        if self.down:
            raise StorageUnavailable("The data bucket did not answer.")
        return super().get_if_changed(key, etag)


class Service:
    """The use case over a bucket, with a clock that is moved by hand."""

    def __init__(self) -> None:
        self.objects = Bucket()
        self.now = NOW + timedelta(minutes=5)
        manifests = ManifestReader(self.objects, SNAPSHOT_MANIFEST_KEY, SnapshotManifest, 30, monotonic=self.seconds)
        parse = partial(parse_snapshot, bookmaker=BOOKMAKER)
        self.use_case = ServeSnapshot(
            manifests, self.objects, parse, lambda: self.now, StaleAfter(STALE, RESULTS_STALE)
        )

    def seconds(self) -> float:
        return self.now.timestamp()

    @property
    def served(self) -> str:
        return self.use_case.current().manifest.snapshot_id

    def later(self, seconds: float = 31) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def service() -> Service:
    service = Service()
    put_snapshot(service.objects)
    return service


def test_a_snapshot_is_read_once_and_then_served_from_memory(service: Service) -> None:
    for _ in range(5):
        assert service.served == SNAPSHOT_ID
    assert len(service.objects.reads) == 5


def test_a_newer_snapshot_is_taken_up_when_the_manifest_is_asked_for_again(service: Service) -> None:
    assert service.served == SNAPSHOT_ID
    put_snapshot(service.objects, snapshot_id=NEXT_ID)
    assert service.served == SNAPSHOT_ID
    service.later()
    assert service.served == NEXT_ID


def test_an_unchanged_manifest_loads_nothing(service: Service) -> None:
    before = service.use_case.current()
    service.later()
    assert service.use_case.current() is before
    assert service.objects.reads[5:] == [SNAPSHOT_MANIFEST_KEY]


def test_without_any_snapshot_nothing_can_be_served() -> None:
    service = Service()
    with pytest.raises(SnapshotUnavailable):
        service.use_case.current()
    health = service.use_case.health()
    assert (health.status, health.manifest, health.age_seconds) == (HealthStatus.UNAVAILABLE, None, None)
    assert isinstance(health.problem, SnapshotNotPublished)


def test_a_first_snapshot_is_served_as_soon_as_it_is_there() -> None:
    service = Service()
    assert service.use_case.health().status is HealthStatus.UNAVAILABLE
    put_snapshot(service.objects)
    service.later()
    assert service.use_case.health().status is HealthStatus.OK


def test_a_snapshot_from_before_there_were_scorecards_is_served_with_an_empty_one(service: Service) -> None:
    files = {name: body for name, body in snapshot_files().items() if name != "scorecard.json"}
    put_snapshot(service.objects, files, snapshot_id=NEXT_ID)
    service.later()
    assert service.served == NEXT_ID
    assert service.use_case.problem is None
    card = service.use_case.current().tables.scorecard
    assert Scorecard.model_validate_json(card) == Scorecard.empty(BOOKMAKER)


def broken(change: str) -> dict[str, bytes]:
    files = snapshot_files()
    if change == "schema":
        files["predictions.parquet"] = files["odds.parquet"]
    if change == "no parquet":
        files["odds.parquet"] = b"not parquet"
    if change == "nan":
        files = snapshot_files(predictions=[{**prediction_rows()[0], "home": float("nan")}])
    if change == "scorecard":
        files["scorecard.json"] = b'{"rows": 1}'
    if change == "missing":
        del files["region_roi.parquet"]
    return files


@pytest.mark.parametrize("change", ["schema", "no parquet", "nan", "scorecard", "missing"])
def test_a_bad_new_snapshot_is_refused_and_the_last_good_one_keeps_serving(service: Service, change: str) -> None:
    # GIVEN a snapshot that is served
    before = service.use_case.current()
    # WHEN
    put_snapshot(service.objects, broken(change), snapshot_id=NEXT_ID)
    service.later()
    # THEN
    assert service.use_case.current() is before
    health = service.use_case.health()
    assert (health.status, health.stale) == (HealthStatus.DEGRADED, False)
    assert isinstance(health.problem, ManifestInvalid)
    # WHEN a good one follows
    put_snapshot(service.objects, snapshot_id="20260303T000000Z-00000000")
    service.later()
    # THEN it is served
    assert service.served == "20260303T000000Z-00000000"
    assert service.use_case.health().problem is None


@pytest.mark.parametrize(
    "damage", [lambda body: body[:-1], lambda body: body[:50] + b"\x00" + body[51:], lambda _: b""]
)
def test_a_file_that_is_not_the_published_one_is_refused_before_it_is_parsed(service: Service, damage: Any) -> None:
    # GIVEN a served snapshot, and a newer one with a damaged file
    assert service.served == SNAPSHOT_ID
    manifest = put_snapshot(service.objects, snapshot_id=NEXT_ID)
    key = manifest.prefix + "predictions.parquet"
    found = service.objects.get(key)
    assert found is not None
    service.objects.put(key, damage(found.body))

    # WHEN the manifest is checked again
    service.later()

    # THEN
    assert service.served == SNAPSHOT_ID
    assert isinstance(service.use_case.problem, DigestMismatch)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"schema_version": 2}'])
def test_a_manifest_that_cannot_be_read_leaves_the_last_good_snapshot(service: Service, body: bytes) -> None:
    assert service.served == SNAPSHOT_ID
    service.objects.put(SNAPSHOT_MANIFEST_KEY, body)
    service.later()
    assert service.served == SNAPSHOT_ID
    assert service.use_case.health().status is HealthStatus.DEGRADED


def test_a_bucket_out_of_reach_leaves_the_last_good_snapshot(service: Service) -> None:
    assert service.served == SNAPSHOT_ID
    service.objects.down = True
    service.later()
    assert service.served == SNAPSHOT_ID
    assert isinstance(service.use_case.health().problem, StorageUnavailable)


def test_an_old_snapshot_is_served_and_marked_as_stale(service: Service) -> None:
    service.now = NOW + timedelta(seconds=STALE)
    assert service.use_case.health().stale is False
    service.later(1)
    health = service.use_case.health()
    assert (health.status, health.stale, health.age_seconds) == (HealthStatus.DEGRADED, True, STALE + 1)
    assert service.served == SNAPSHOT_ID


def test_a_snapshot_from_a_clock_ahead_has_no_negative_age(service: Service) -> None:
    service.now = datetime(2026, 1, 1, tzinfo=UTC)
    assert service.use_case.health().age_seconds == 0


def test_an_unknown_match_is_not_found_and_says_where_to_look(service: Service) -> None:
    with pytest.raises(MatchNotFound, match="GET /predict/predictions/"):
        service.use_case.current().match("e0-2026-03-07-no-body")


def test_the_lists_are_those_of_the_snapshot(service: Service) -> None:
    assert service.use_case.current().tables.predictions.page(Filters(), None, 3).total == 7
