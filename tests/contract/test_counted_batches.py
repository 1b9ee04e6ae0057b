"""Rows of parts are counted once, by whoever ended the part."""

from __future__ import annotations

import boto3
import pytest

from matchcast.adapters.counted_batches import CountedBatches
from tests.support.stored_batches import a_batch, a_part, running

Counts = list[tuple[str, str, int]]


@pytest.fixture
def counted() -> Counts:
    return []


@pytest.fixture
def batches(aws: dict[str, str], counted: Counts) -> CountedBatches:
    return CountedBatches(boto3.client("dynamodb"), aws["TasksTableName"], lambda *count: counted.append(count))


def test_the_rows_of_a_part_are_counted_by_how_they_ended(batches: CountedBatches, counted: Counts) -> None:
    batch = running(a_batch())
    batches.create(batch)

    assert batches.finish_part(batch, a_part(), None)

    assert counted == [("champion", "succeeded", 7), ("champion", "failed", 2), ("champion", "rejected", 1)]


def test_who_comes_second_counts_nothing(batches: CountedBatches, counted: Counts) -> None:
    # GIVEN a part that has ended
    batch = running(a_batch())
    batches.create(batch)
    batches.finish_part(batch, a_part(), None)
    counted.clear()

    # WHEN another worker ends it
    ended = batches.finish_part(batch, a_part(files="0b"), None)

    # THEN
    assert (ended, counted) == (False, [])


def test_of_a_part_that_runs_again_only_those_rows_are_counted(batches: CountedBatches, counted: Counts) -> None:
    # GIVEN a part of which two rows failed, and a batch that runs it again
    batch = running(a_batch(generation=1))
    before = a_part()
    first = running(a_batch(batch_id=batch.batch_id))
    batches.create(first)
    batches.finish_part(first, before, None)
    batches.change(batch, [first.status], 0)
    counted.clear()

    # WHEN one of them succeeds
    assert batches.finish_part(batch, a_part(generation=1, succeeded=8, failed=2), before)

    # THEN
    assert counted == [("champion", "succeeded", 1), ("champion", "failed", 1)]
