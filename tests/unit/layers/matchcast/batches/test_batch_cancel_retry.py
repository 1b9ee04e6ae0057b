"""Cancellation and retry against every state, and against messages of earlier generations."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from matchcast.batch_messages import JoinBatch, RunPart, SplitBatch
from matchcast.domain.batch import Batch, BatchStatus, Part
from matchcast.errors import Conflict, KeyReused
from matchcast.tasks.accept import IdempotencyKey
from tests.support.batch_flow import BAD, MIXED, Flow, good, poison

KEY = IdempotencyKey("k", "fingerprint")


def cancel(flow: Flow, batch: Batch) -> Batch:
    return flow.track.cancel("north", batch.batch_id)


def test_a_batch_that_was_not_split_is_cancelled_at_once_and_its_split_changes_nothing() -> None:
    # WHEN
    flow = Flow()
    batch = flow.submitted(MIXED)
    cancelled = cancel(flow, batch)
    flow.settle()

    # THEN
    assert (cancelled.status, cancelled.total, cancelled.completed_at) == (BatchStatus.CANCELLED, None, flow.now)
    assert flow.batch(batch) == cancelled
    assert cancel(flow, batch) == cancelled


@pytest.mark.parametrize("steps", range(1, 6))
def test_a_running_batch_is_cancelled_with_what_has_ended(steps: int) -> None:
    # GIVEN
    flow = Flow(size=2, window=1)
    batch = flow.submitted(MIXED)
    for _ in range(steps):
        flow.step()
    done = {part.number for part in flow.records.parts(batch.batch_id)}
    assert len(done) == steps - 1

    # WHEN
    assert cancel(flow, batch).status is BatchStatus.CANCELLING
    assert cancel(flow, batch).status is BatchStatus.CANCELLING
    flow.settle()

    # THEN
    output, errors = flow.rows(batch)
    codes = {row["row"]: row["code"] for row in errors}
    assert flow.batch(batch).status is BatchStatus.CANCELLED
    assert {row["row"] for row in output} == {row for row in (0, 3, 4, 5, 7, 9) if row // 2 in done}
    assert (codes[1], codes[6]) == ("invalid-row", "invalid-row")
    expected = {row for row in range(10) if row // 2 not in done and row not in {1, 6}}
    assert {row for row, code in codes.items() if code == "cancelled"} == expected


def test_a_cancellation_whose_message_was_never_sent_is_done_by_the_delayed_one() -> None:
    # GIVEN
    flow = Flow(size=2)
    batch = flow.submitted(MIXED)
    flow.step()
    cancel(flow, batch)

    # WHEN
    flow.queue.messages = [(message, delay) for message, delay in flow.queue.messages if delay == 30]
    assert [type(message) for message in flow.queue.bodies] == [JoinBatch]
    flow.settle()

    # THEN
    assert flow.batch(batch).status is BatchStatus.CANCELLED


def test_a_batch_that_has_ended_cannot_be_cancelled() -> None:
    flow = Flow()
    batch = flow.submitted(MIXED)
    flow.settle()

    with pytest.raises(Conflict, match="succeeded already"):
        cancel(flow, batch)


def test_a_retry_runs_the_failed_rows_alone_and_joins_new_files() -> None:
    # GIVEN
    flow = Flow(size=4)
    batch = flow.submitted([*MIXED, *(good(number) for number in range(10, 16))])
    flow.settle()
    first, calls = flow.rows(batch)[0], len(flow.release.model.calls)

    # WHEN
    flow.poisoned = False
    queued, is_mine = flow.track.retry_failed("north", batch.batch_id)
    flow.settle()

    # THEN
    output, errors = flow.rows(batch)
    ended = flow.batch(batch)
    assert (queued.status, queued.generation, is_mine) == (BatchStatus.QUEUED, 1, True)
    assert (ended.status, ended.output_generation, ended.parts, ended.to_run) == (BatchStatus.SUCCEEDED, 1, 2, 2)
    assert flow.release.model.calls[calls:] == [1, 1]
    assert [row["row"] for row in errors] == [1, 6]
    assert [row for row in output if row["row"] not in {2, 8}] == first


def test_a_cancelled_batch_goes_on_where_it_was() -> None:
    # GIVEN
    flow = Flow(size=2, window=1)
    batch = flow.submitted(MIXED)
    for _ in range(3):
        flow.step()
    cancel(flow, batch)
    flow.settle()

    # WHEN
    flow.track.retry_failed("north", batch.batch_id)
    flow.settle()

    # THEN
    output, errors = flow.rows(batch)
    ended = flow.batch(batch)
    assert (ended.status, ended.cancelled) == (BatchStatus.SUCCEEDED, 0)
    assert (len(output), [row["row"] for row in errors]) == (6, [1, 2, 6, 8])


def test_a_batch_cancelled_before_its_split_is_split_by_its_retry() -> None:
    # GIVEN
    flow = Flow(size=4)
    batch = flow.submitted(MIXED)
    cancel(flow, batch)

    # WHEN
    flow.track.retry_failed("north", batch.batch_id)
    flow.settle()

    # THEN
    flow.rows(batch)
    assert (flow.batch(batch).status, flow.batch(batch).generation) == (BatchStatus.SUCCEEDED, 1)


@pytest.mark.parametrize("steps", range(5))
def test_a_retry_that_is_cancelled_keeps_what_was_predicted(steps: int) -> None:
    # GIVEN
    flow = Flow(size=2, window=1)
    batch = flow.submitted([poison(0), good(1), poison(2), good(3), BAD, poison(5)])
    flow.settle()
    flow.poisoned = False

    # WHEN
    flow.track.retry_failed("north", batch.batch_id)
    for _ in range(steps):
        flow.step()
    cancel(flow, batch)
    flow.settle()

    # THEN
    output, errors = flow.rows(batch)
    assert {1, 3} <= {row["row"] for row in output}
    assert {row["code"] for row in errors} <= {"cancelled", "invalid-row"}
    assert flow.batch(batch).status is BatchStatus.CANCELLED


def test_messages_of_an_earlier_generation_change_nothing() -> None:
    # GIVEN
    flow = Flow(size=2)
    batch = flow.submitted(MIXED)
    flow.settle()
    flow.track.retry_failed("north", batch.batch_id)
    flow.step()
    flow.step()
    before, parts = flow.batch(batch), list(flow.records.parts(batch.batch_id))

    # WHEN
    flow.deliver(SplitBatch(batch_id=batch.batch_id, tenant="north"))
    flow.deliver(JoinBatch(batch_id=batch.batch_id, tenant="north"))
    flow.deliver(RunPart(batch_id=batch.batch_id, tenant="north", position=1, number=1))

    # THEN
    assert before.status is BatchStatus.RUNNING
    assert flow.batch(batch) == before
    assert list(flow.records.parts(batch.batch_id)) == parts


def test_a_batch_with_wrong_rows_alone_has_nothing_to_run_again() -> None:
    flow = Flow()
    batch = flow.submitted([good(0), BAD])
    flow.settle()

    with pytest.raises(Conflict, match="no rows to run again"):
        flow.track.retry_failed("north", batch.batch_id)


def test_a_batch_that_runs_cannot_be_retried_and_one_with_a_bad_file_neither() -> None:
    # GIVEN
    flow = Flow()
    open_one, refused = flow.submitted(MIXED), flow.submitted(["[]"])

    # WHEN it is asked for before the end and after it
    # THEN
    with pytest.raises(Conflict, match="only one that has ended"):
        flow.track.retry_failed("north", open_one.batch_id)
    flow.settle()
    with pytest.raises(Conflict, match="cannot be read"):
        flow.track.retry_failed("north", refused.batch_id)


def test_a_retry_with_a_key_runs_once_however_often_it_is_asked_for() -> None:
    # GIVEN
    flow = Flow(size=4)
    batch = flow.submitted(MIXED)
    flow.settle()

    # WHEN
    answers = [flow.track.retry_failed("north", batch.batch_id, KEY) for _ in range(2)]
    flow.settle()
    answers.append(flow.track.retry_failed("north", batch.batch_id, KEY))

    # THEN
    assert [(found.generation, is_mine) for found, is_mine in answers] == [(1, True), (1, False), (1, False)]
    assert flow.batch(batch).generation == 1
    with pytest.raises(KeyReused):
        flow.track.retry_failed("north", batch.batch_id, IdempotencyKey("k", "another"))


def test_a_retry_of_what_had_ended_altogether_joins_it_again() -> None:
    # GIVEN a batch that failed although all its parts had ended well
    flow = Flow(size=4, poisoned=False)
    batch = flow.submitted(MIXED)
    flow.settle()
    failed = flow.batch(batch).model_copy(update={"status": BatchStatus.FAILED, "output_generation": None})
    flow.records._batches[batch.batch_id] = failed

    # WHEN
    flow.track.retry_failed("north", batch.batch_id)
    flow.settle()

    # THEN
    flow.rows(batch)
    assert (flow.batch(batch).parts, flow.batch(batch).status) == (0, BatchStatus.SUCCEEDED)


def test_a_second_split_that_is_late_does_not_change_the_plan_of_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a retry of three parts, whose first ends while a second message of its split is about to look at the parts
    flow = Flow(size=1, window=1)
    batch = flow.submitted([poison(0), poison(1), poison(2)])
    flow.settle()
    flow.poisoned = False
    flow.track.retry_failed("north", batch.batch_id)
    late = flow.queue.messages.pop()[0]
    parts, meanwhile = flow.records.parts, [flow]

    def parts_late(batch_id: str) -> Sequence[Part]:
        if meanwhile:
            other = meanwhile.pop()
            other.step()
            other.step()
        return parts(batch_id)

    monkeypatch.setattr(flow.records, "parts", parts_late)

    # WHEN
    flow.deliver(late)
    flow.lane._plans._last = None  # as in another process
    flow.settle()

    # THEN
    assert flow.batch(batch).status is BatchStatus.SUCCEEDED
    assert len(flow.rows(batch)[0]) == 3
