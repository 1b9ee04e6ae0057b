from __future__ import annotations

import json

import numpy as np
import pytest

from matchcast.batch_messages import JoinBatch
from matchcast.batches.predict_rows import predict_rows
from matchcast.domain.batch import BatchStatus
from matchcast.domain.prediction import renormalise
from matchcast.domain.task import Priority
from matchcast.ports import Received
from tests.support.part_workers import WEIGHTS, PartWorker, a_chunk
from tests.support.releases import Logits
from tests.support.tasks import NOW


def test_a_part_ends_with_a_prediction_or_an_error_for_each_row() -> None:
    # GIVEN a part of ten rows, of which one is wrong
    worker = PartWorker()

    # WHEN it is run
    outcome = worker()

    # THEN the model is called once, with the others
    assert (outcome.done, outcome.problem) == (True, None)
    assert worker.model.calls == [9]
    assert list(worker.output()) == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert worker.errors() == {3: "invalid-row"}
    record = worker.record
    assert (record.succeeded, record.failed, record.parts_done) == (9, 1, 1)


def test_predictions_equal_those_on_demand() -> None:
    # GIVEN what the model gives each row alone
    worker = PartWorker()
    rows = a_chunk(10, 10).values
    alone = [renormalise(*Logits(WEIGHTS).predict(rows[at : at + 1])[0].tolist()) for at in range(10)]

    # WHEN the part is run
    worker(1)

    # THEN
    np.testing.assert_allclose(list(worker.output(1).values()), alone, rtol=0, atol=1e-7)


def test_the_next_part_is_sent_first_and_the_last_one_has_the_batch_joined() -> None:
    # GIVEN a batch of two parts, one of which is in the lane at once
    worker = PartWorker()

    # WHEN both are run
    worker(0)
    sent = [(part.position, part.number) for part, _ in worker.queue.parts]
    joins = list(worker.queue.messages)
    worker(1)

    # THEN
    assert (sent, joins) == ([(1, 1)], [])
    join = JoinBatch(batch_id=worker.batch.batch_id, tenant="north", generation=0)
    assert worker.queue.messages == [(join, 0)]
    assert worker.record.all_parts_done


def test_a_duplicate_changes_nothing_and_has_the_batch_joined_again() -> None:
    # GIVEN a batch whose parts have ended, and whose last worker died before the join
    worker = PartWorker()
    worker(0)
    worker(1)
    record = worker.record
    worker.queue.messages.clear()

    # WHEN a message comes again
    # THEN
    assert worker(1).done
    assert worker.record == record
    assert worker.model.calls == [9, 10]
    assert len(worker.queue.messages) == 1


def test_two_workers_give_the_same_bytes() -> None:
    # GIVEN two workers of the same batch, each with an environment of its own
    first = PartWorker()
    second = PartWorker(batch=first.batch)

    # WHEN both run its parts
    for worker in (first, second):
        worker(0)
        worker(1)

    # THEN
    assert [first.files(number) for number in (0, 1)] == [second.files(number) for number in (0, 1)]
    assert first.batches.ended == second.batches.ended


@pytest.mark.parametrize("status", [BatchStatus.CANCELLING, BatchStatus.SUCCEEDED, BatchStatus.QUEUED])
def test_a_part_of_a_batch_that_does_not_run_is_dropped(status: BatchStatus) -> None:
    worker = PartWorker()
    worker.batches.records[worker.batch.batch_id] = worker.record.model_copy(update={"status": status})

    assert worker().done
    assert (worker.model.calls, worker.queue.parts, worker.batches.ended) == ([], [], {})


def test_a_part_of_an_unknown_or_expired_batch_or_another_generation_is_dropped() -> None:
    # GIVEN messages of other times
    worker = PartWorker()

    # WHEN they come
    # THEN
    assert worker(batch_id="unknown").done
    assert worker(generation=1).done
    worker.batches.records[worker.batch.batch_id] = worker.record.model_copy(update={"expires_at": NOW})
    assert worker().done
    assert (worker.model.calls, worker.batches.ended) == ([], {})


def test_a_part_of_a_batch_that_is_cancelled_meanwhile_does_not_count() -> None:
    # GIVEN a batch that is cancelled while the model predicts
    class Cancelling(Logits):
        def predict(self, rows: np.ndarray) -> np.ndarray:
            worker.batches.records[worker.batch.batch_id] = cancelling
            return super().predict(rows)

    worker = PartWorker(model=Cancelling(WEIGHTS))
    cancelling = worker.record.model_copy(update={"status": BatchStatus.CANCELLING})

    # WHEN its part is run
    # THEN
    assert worker().done
    assert (worker.record, worker.batches.ended) == (cancelling, {})


def test_a_part_that_another_worker_ends_first_is_done() -> None:
    # GIVEN another worker that ends the part while this one predicts
    class Slower(Logits):
        def predict(self, rows: np.ndarray) -> np.ndarray:
            if not self.calls:
                self.calls.append(0)
                other.batches, other.objects = worker.batches, worker.objects
                other.worker = other.new_worker()
                assert other().done
            return super().predict(rows)

    worker = PartWorker(model=Slower(WEIGHTS))
    other = PartWorker(batch=worker.batch)

    # WHEN the part is run
    # THEN it is counted once
    assert worker().done
    assert (worker.record.succeeded, worker.record.parts_done) == (9, 1)


def test_rows_without_probabilities_fail_alone() -> None:
    # GIVEN a model whose answers to some rows are no probabilities
    class Partial(Logits):
        def predict(self, rows: np.ndarray) -> np.ndarray:
            answer = super().predict(rows)
            for number, bad in ((5, np.nan), (6, -0.5), (7, 0.0)):
                answer[rows[:, 0] == number] = bad
            return answer

    worker = PartWorker(model=Partial(WEIGHTS))

    # WHEN their part is run
    outcome = worker()

    # THEN
    assert (outcome.done, outcome.problem, worker.model.calls) == (True, None, [9])
    assert worker.errors() == {3: "invalid-row", 5: "model-failed", 6: "model-failed", 7: "model-failed"}
    assert list(worker.output()) == [0, 1, 2, 4, 8, 9]
    part = worker.batches.part(worker.batch.batch_id, 0)
    assert part is not None
    assert (part.invalid, part.retriable) == (1, 3)


def test_a_later_generation_keeps_good_rows_and_predicts_the_others() -> None:
    # GIVEN a part of which two rows failed, and that runs again
    class Poisoned(Logits):
        poison: tuple[int, ...] = (5, 8)

        def predict(self, rows: np.ndarray) -> np.ndarray:
            if np.isin(rows[:, 0], self.poison).any():
                self.calls.append(len(rows))
                raise ValueError("poison")
            return super().predict(rows)

    model = Poisoned(WEIGHTS)
    worker = PartWorker(model=model)
    worker(0)
    worker(1)
    good = worker.output()
    assert sorted(good) == [0, 1, 2, 4, 6, 7, 9]
    assert worker.errors() == {3: "invalid-row", 5: "model-failed", 8: "model-failed"}
    worker.runs_again()
    worker.queue.messages.clear()

    # WHEN the model takes one of them now
    model.poison, model.calls = (8,), []
    assert worker(generation=1, position=0).done

    # THEN it was asked for these two alone
    assert model.calls == [2, 1, 1]
    assert {row: worker.output()[row] for row in good} == good
    assert worker.errors() == {3: "invalid-row", 8: "model-failed"}
    assert (worker.record.succeeded, worker.record.failed, worker.record.queued) == (18, 2, 0)
    assert len(worker.queue.messages) == 1


def test_a_part_without_good_rows_needs_no_call() -> None:
    # GIVEN a part whose good rows were all predicted before
    worker = PartWorker()
    worker(0)
    worker.runs_again()
    worker.model.calls.clear()

    # WHEN it runs again
    # THEN
    assert worker(generation=1, position=0).done
    assert (worker.model.calls, len(worker.output())) == ([], 9)


@pytest.mark.parametrize("name", [None, "batch_id"])
def test_an_unreadable_part_is_buried_and_the_batch_that_it_names_fails(name: str | None) -> None:
    # GIVEN a message of a later version
    worker = PartWorker()
    body = {"kind": "part", "version": 3} | ({name: worker.batch.batch_id} if name else {})
    received = Received("message", "receipt", json.dumps(body), Priority.NORMAL)

    # WHEN it comes
    (outcome,) = worker.worker.run([received], lambda: True)

    # THEN
    assert outcome.done
    assert [letter.cause for letter in worker.lanes.dead_letters] == ["invalid-message"]
    assert (worker.record.error and worker.record.error.code) == ("invalid-message" if name else None)


class TestPredictRows:
    def test_few_poison_rows_are_found_by_few_calls(self) -> None:
        # GIVEN 10,000 rows of which five make the model fail
        class Poisoned(Logits):
            def predict(self, rows: np.ndarray) -> np.ndarray:
                self.calls.append(len(rows))
                if np.isin(rows[:, 0], poison).any():
                    raise RuntimeError("poison")
                return super().predict((rows / 1000).astype(np.float32))

        poison = [0, 17, 4999, 5000, 9999]
        model = Poisoned(WEIGHTS)

        # WHEN they are predicted
        predicted = predict_rows(model, a_chunk(0, 10_000).values)

        # THEN
        assert list(np.flatnonzero(~predicted.good)) == poison
        assert [error.code for error, _ in predicted.errors] == ["model-failed"]
        assert len(model.calls) < 2 * 150

    @pytest.mark.parametrize("answer", [np.zeros((1, 2), np.float32), None])
    def test_a_model_that_always_fails_is_called_a_bounded_number_of_times(self, answer: np.ndarray | None) -> None:
        # GIVEN a model that raises, or whose answers have another shape
        model = Logits(WEIGHTS, answer=answer, broken=answer is None)

        # WHEN it is asked for 10,000 rows
        predicted = predict_rows(model, a_chunk(0, 10_000).values)

        # THEN
        assert not predicted.good.any()
        assert len(model.calls) == 256
        assert sum(int(rows.sum()) for _, rows in predicted.errors) == 10_000
