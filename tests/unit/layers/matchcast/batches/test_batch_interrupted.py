"""Whatever call fails, and in whatever order messages come: the same end, with the same bytes."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matchcast.domain.batch import Batch, BatchStatus
from matchcast.errors import Conflict, StorageUnavailable
from matchcast.tasks.accept import IdempotencyKey
from tests.support.batch_flow import MIXED, Flow, Trip
from tests.support.examples import examples

KEY = IdempotencyKey("submission", "fingerprint")
AGAIN = IdempotencyKey("retry", "fingerprint")

T = TypeVar("T")


def tried(ask: Callable[[], T]) -> T:
    """Ask again where a port failed."""
    try:
        return ask()
    except StorageUnavailable:
        return ask()


def both_runs(flow: Flow) -> Batch:
    """Submit a batch, let it end, retry its failed rows, and let that end."""
    batch = tried(lambda: flow.submitted(MIXED, key=KEY))
    flow.settle()
    flow.poisoned = False
    tried(lambda: flow.track.retry_failed("north", batch.batch_id, AGAIN))
    flow.settle()
    return batch


EXPECTED_FLOW = Flow()
EXPECTED = EXPECTED_FLOW.files(both_runs(EXPECTED_FLOW))


@pytest.mark.parametrize("after", [False, True], ids=["fails", "answer lost"])
def test_any_call_may_fail_once_and_the_files_are_the_same(after: bool) -> None:
    for at in range(1, EXPECTED_FLOW.trip.calls + 1):
        flow = Flow(trip=Trip(at, after))
        batch = both_runs(flow)

        assert flow.files(batch) == EXPECTED, at
        assert flow.batch(batch).status is BatchStatus.SUCCEEDED, at
        assert flow.trip.calls >= at, "a call that was never made cannot have failed"


@given(seed=st.integers(0, 2**32), size=st.integers(1, 5), window=st.integers(1, 4))
@settings(max_examples=examples(30), deadline=None)
def test_messages_in_any_order_and_twice_give_the_same_files(seed: int, size: int, window: int) -> None:
    # WHEN
    flow, choose = Flow(size=size, window=window), random.Random(seed)
    batch = flow.submitted(MIXED)
    flow.settle(choose)
    flow.poisoned = False
    flow.track.retry_failed("north", batch.batch_id)
    flow.settle(choose)

    # THEN
    assert flow.files(batch) == EXPECTED


@given(seed=st.integers(0, 2**32), size=st.integers(1, 5), window=st.integers(1, 4), rows=st.integers(1, 12))
@settings(max_examples=examples(60), deadline=None)
def test_no_batch_is_ever_stuck_or_miscounted(seed: int, size: int, window: int, rows: int) -> None:
    # WHEN faults, cancellations and retries come at any time
    choose = random.Random(seed)
    flow = Flow(size=size, window=window, trip=Trip(choose.randrange(1, 200), choose.random() < 0.5))
    content = [choose.choice(MIXED) for _ in range(rows)]
    batch = tried(lambda: flow.submitted(content, key=KEY))
    for _ in range(60):
        flow.poisoned = choose.random() < 0.5
        act = choose.random()
        try:
            if act < 0.1:
                flow.track.cancel("north", batch.batch_id)
            elif act < 0.2:
                flow.track.retry_failed("north", batch.batch_id)
            elif flow.queue.messages:
                flow.step(choose.randrange(len(flow.queue.messages)), again=choose.random() < 0.2)
        except (Conflict, StorageUnavailable):
            continue
    flow.settle(choose)

    # THEN
    ended = flow.batch(batch)
    assert ended.status in (BatchStatus.SUCCEEDED, BatchStatus.CANCELLED)
    if ended.total is not None:
        flow.rows(batch)
