"""The result cache: hits for the present run and snapshot, misses for everything else, never an error."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from matchcast.adapters.in_memory import InMemoryResults
from matchcast.domain.manifests import MODEL_MANIFEST_KEY, SNAPSHOT_MANIFEST_KEY, ModelManifest, SnapshotManifest
from matchcast.domain.prediction import Prediction
from matchcast.errors import StorageUnavailable
from matchcast.predictions.result_cache import REST, CachedResults
from matchcast.releases.readers import ManifestReader
from tests.support.releases import SNAPSHOT_ID, Release, published
from tests.support.tasks import MODEL, NOW, a_prediction

MATCH = str(a_prediction().match_id)


class Desk:
    def __init__(self, *, lifetime: timedelta = timedelta(hours=1), cache: InMemoryResults | None = None) -> None:
        self.release = Release()
        self.cache = cache or InMemoryResults()
        self.counted: Counter[str] = Counter()
        self.now: datetime = NOW
        self.lifetime = lifetime

    @property
    def results(self) -> CachedResults:
        """Return the cache as a new environment sees it."""
        objects = self.release.objects
        return CachedResults(
            cache=self.cache,
            models=ManifestReader(objects, MODEL_MANIFEST_KEY, ModelManifest, 30),
            snapshots=ManifestReader(objects, SNAPSHOT_MANIFEST_KEY, SnapshotManifest, 30),
            now=lambda: self.now,
            lifetime=self.lifetime,
            count=lambda what: self.counted.update([what]),
        )

    def publish(self, **stages: str) -> None:
        manifest = ModelManifest(
            release=2, published_at=NOW, stages={stage: published(version) for stage, version in stages.items()}
        )
        self.release.objects.put(MODEL_MANIFEST_KEY, manifest.body())


class Broken(InMemoryResults):
    asked = 0

    def find(self, match_id: str, run_id: str, now: datetime) -> Prediction | None:
        self.asked += 1
        raise StorageUnavailable("down")

    def keep(self, prediction: Prediction, expires_at: datetime) -> None:
        self.asked += 1
        raise StorageUnavailable("down")


def test_a_kept_prediction_is_found_and_says_that_it_was_cached() -> None:
    desk = Desk()
    assert desk.results.find(MATCH, "champion") is None
    desk.results.keep(a_prediction())

    assert desk.results.find(MATCH, "champion") == a_prediction(cached=True)
    assert desk.counted == {"hits": 1}


def test_a_prediction_is_kept_for_its_lifetime() -> None:
    desk = Desk()
    desk.results.keep(a_prediction())

    desk.now = NOW + timedelta(minutes=59)
    assert desk.results.find(MATCH, "champion") is not None
    desk.now = NOW + timedelta(hours=1)
    assert desk.results.find(MATCH, "champion") is None


def test_another_snapshot_is_a_miss() -> None:
    desk = Desk()
    desk.results.keep(a_prediction(snapshot_id="20260201T000000Z-11111111"))

    assert desk.results.find(MATCH, "champion") is None
    desk.results.keep(a_prediction(snapshot_id=SNAPSHOT_ID))
    assert desk.results.find(MATCH, "champion") is not None


def test_another_run_under_the_same_stage_is_a_miss() -> None:
    desk = Desk()
    desk.results.keep(a_prediction())

    desk.publish(champion="4")

    assert desk.results.find(MATCH, "champion") is None


def test_another_version_of_the_same_run_is_a_miss() -> None:
    desk = Desk()
    desk.results.keep(a_prediction())
    other = published().model_copy(update={"version": "4"})
    manifest = ModelManifest(release=2, published_at=NOW, stages={"champion": other})
    desk.release.objects.put(MODEL_MANIFEST_KEY, manifest.body())

    assert desk.results.find(MATCH, "champion") is None


def test_a_run_that_two_stages_serve_is_one_entry_and_names_the_stage_that_was_asked() -> None:
    desk = Desk()
    desk.publish(champion="3", candidate="3")
    desk.results.keep(a_prediction())

    found = desk.results.find(MATCH, "candidate")

    assert found is not None
    assert found.model == MODEL.model_copy(update={"stage": "candidate"})


@pytest.mark.parametrize(("match_id", "stage"), [("e0-2026-03-07-cedar-elm", "champion"), (MATCH, "nowhere")])
def test_another_match_and_an_unknown_stage_are_misses(match_id: str, stage: str) -> None:
    desk = Desk()
    desk.results.keep(a_prediction())

    assert desk.results.find(match_id, stage) is None
    assert desk.counted == {}


@pytest.mark.parametrize("act", [lambda results: results.find(MATCH, "champion"), lambda r: r.keep(a_prediction())])
def test_a_cache_out_of_reach_is_counted_and_skipped(act: Callable[[CachedResults], Any]) -> None:
    desk = Desk(cache=Broken())

    assert act(desk.results) is None
    assert desk.counted == {"errors": 1}


def test_a_table_that_did_not_answer_is_left_alone_for_a_while() -> None:
    # GIVEN a table that is down
    broken = Broken()
    desk = Desk(cache=broken)
    results = desk.results
    results.find(MATCH, "champion")

    # WHEN it is asked again within the rest, and after it
    desk.now += REST - timedelta(seconds=1)
    assert results.find(MATCH, "champion") is None
    results.keep(a_prediction())
    asked = broken.asked
    desk.now += timedelta(seconds=1)
    results.find(MATCH, "champion")

    # THEN only the first and the last reach it, and each is counted
    assert (asked, broken.asked, desk.counted) == (1, 2, {"errors": 4})


def test_a_manifest_out_of_reach_is_counted_and_skipped() -> None:
    desk = Desk()
    desk.results.keep(a_prediction())
    desk.release.objects.put(SNAPSHOT_MANIFEST_KEY, b"{")

    assert desk.results.find(MATCH, "champion") is None
    assert desk.counted == {"errors": 1}


def test_a_lifetime_of_zero_turns_the_cache_off() -> None:
    desk = Desk(lifetime=timedelta(0), cache=Broken())

    desk.results.keep(a_prediction())

    assert desk.results.find(MATCH, "champion") is None
    assert desk.counted == {}
