"""Result caches: in memory and on DynamoDB, by the same tests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import boto3
import pytest

from matchcast.adapters.dynamodb_records import DynamoDBResults
from matchcast.adapters.in_memory import InMemoryResults
from matchcast.errors import StorageUnavailable
from matchcast.ports import ResultCache
from tests.support.tasks import MODEL, NOW, a_prediction

SOON = NOW + timedelta(hours=1)
MATCH = str(a_prediction().match_id)


@pytest.fixture(params=["in memory", "dynamodb"])
def results(request: pytest.FixtureRequest) -> ResultCache:
    if request.param == "in memory":
        return InMemoryResults()
    names = request.getfixturevalue("aws")
    return DynamoDBResults(boto3.client("dynamodb"), names["TasksTableName"])


def test_what_was_never_predicted_is_not_there(results: ResultCache) -> None:
    assert results.find(MATCH, MODEL.run_id, NOW) is None


def test_a_prediction_comes_back_bit_for_bit(results: ResultCache) -> None:
    results.keep(a_prediction(), SOON)

    assert results.find(MATCH, MODEL.run_id, NOW) == a_prediction()


def test_a_later_prediction_takes_the_place_of_an_earlier_one(results: ResultCache) -> None:
    later = a_prediction(snapshot_id="20260302T000000Z-11111111")
    results.keep(a_prediction(), SOON)
    results.keep(later, SOON)

    assert results.find(MATCH, MODEL.run_id, NOW) == later


def test_matches_and_runs_are_kept_apart(results: ResultCache) -> None:
    results.keep(a_prediction(), SOON)

    assert results.find("e0-2026-03-07-cedar-elm", MODEL.run_id, NOW) is None
    assert results.find(MATCH, "run-4", NOW) is None


@pytest.mark.parametrize("late", [timedelta(0), timedelta(days=2)])
def test_an_expired_prediction_is_not_served_although_it_is_still_there(results: ResultCache, late: timedelta) -> None:
    results.keep(a_prediction(), SOON)

    assert results.find(MATCH, MODEL.run_id, SOON - timedelta(seconds=1)) is not None
    assert results.find(MATCH, MODEL.run_id, SOON + late) is None


def test_a_missing_table_is_reported_as_unavailable(aws: dict[str, str]) -> None:
    results = DynamoDBResults(boto3.client("dynamodb"), f"{aws['TasksTableName']}-gone")

    calls: tuple[Callable[[], object], ...] = (
        lambda: results.find(MATCH, "run-3", NOW),
        lambda: results.keep(a_prediction(), SOON),
    )
    for call in calls:
        with pytest.raises(StorageUnavailable, match="tasks table"):
            call()
