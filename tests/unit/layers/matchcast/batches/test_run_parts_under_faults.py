"""Parts whose model, storage, table or queue is not there, or whose time is up."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.batches.patient_calls import PatientCalls
from matchcast.batches.run_parts import SOON_SECONDS
from matchcast.domain.batch import BatchKeys
from matchcast.errors import ModelUnavailable, QueueUnavailable, ReleaseRefused, StorageUnavailable
from matchcast.tasks.settle import LONGEST_RETRY_SECONDS, RENEW_AFTER_RECEIVES
from tests.support.part_workers import WEIGHTS, PartWorker
from tests.support.releases import Logits, published
from tests.support.stored_batches import SentMessages, StoredBatches

if TYPE_CHECKING:
    import numpy as np


@dataclass
class Broken(Logits):
    """A model that raises, as long as it has a problem."""

    problem: Exception | None = None

    def predict(self, rows: np.ndarray) -> np.ndarray:
        if self.problem is not None:
            raise self.problem
        return super().predict(rows)


class Outage(InMemoryObjects):
    """A bucket that answers until something is asked of it that is `out`."""

    out: str = ""

    def get(self, key: str) -> Any:
        if self.out and self.out in key:
            raise StorageUnavailable(f"no {key}")
        return super().get(key)

    def put(self, key: str, body: bytes, content_type: str = "") -> None:
        if self.out and self.out in key:
            raise StorageUnavailable(f"no {key}")
        super().put(key, body, content_type)


class Refusing(StoredBatches):
    """A table of which some calls do not come through."""

    def __init__(self) -> None:
        super().__init__()
        self.down: set[str] = set()

    def get_many(self, batch_ids: Any) -> Any:
        self._check("get_many")
        return super().get_many(batch_ids)

    def finish_part(self, *args: Any) -> bool:
        self._check("finish_part")
        return super().finish_part(*args)

    def record_part_attempt(self, *args: Any) -> int:
        self._check("record_part_attempt")
        return super().record_part_attempt(*args)

    def _check(self, call: str) -> None:
        if call in self.down:
            raise StorageUnavailable(f"no {call}")


@pytest.mark.parametrize("problem", [ModelUnavailable("no room"), ReleaseRefused("no process")])
def test_a_model_that_cannot_be_used_costs_attempts_and_the_last_one_ends_the_part(problem: Exception) -> None:
    # GIVEN a model that cannot be used at present
    worker = PartWorker(unloadable=problem)

    # WHEN the part comes twice
    outcomes = [worker(receives=receives) for receives in (1, 2)]

    # THEN it comes again, later each time
    assert [outcome.done for outcome in outcomes] == [False, False]
    first, second = (seconds for _, _, seconds in worker.lanes.postponed)
    assert first == 10
    assert 30 <= second <= 45

    # WHEN it comes for the last time
    outcome = worker(receives=3)

    # THEN it is buried with its cause, and every row that is left fails
    code = "model-unavailable"
    assert outcome.done
    assert [letter.cause for letter in worker.lanes.dead_letters] == [code]
    assert worker.errors() == {row: "invalid-row" if row == 3 else code for row in range(10)}
    assert (worker.record.failed, worker.record.parts_done) == (10, 1)


def test_files_that_are_not_those_that_were_pinned_end_the_part_at_once() -> None:
    # GIVEN files of the model that were written over
    worker = PartWorker()
    worker.objects.put(published().prefix + "model.onnx", b"another")

    # WHEN its part comes
    outcome = worker()

    # THEN nothing was loaded
    assert (outcome.done, worker.loads) == (True, 0)
    assert [letter.cause for letter in worker.lanes.dead_letters] == ["digest-mismatch"]
    assert set(worker.errors().values()) == {"invalid-row", "digest-mismatch"}


def test_the_last_part_that_is_given_up_has_the_batch_joined() -> None:
    worker = PartWorker(model=Broken(WEIGHTS, problem=ModelUnavailable("no room")))
    for number in (0, 1):
        for receives in (1, 2, 3):
            worker(number, receives)

    assert worker.record.all_parts_done
    assert len(worker.queue.messages) == 1


@pytest.mark.parametrize("out", ["request.json", "input/", "model.onnx", "parts/"])
def test_an_outage_of_the_bucket_costs_no_attempt(out: str) -> None:
    # GIVEN a bucket that does not answer
    objects = Outage()
    worker = PartWorker(objects=objects)
    objects.out = out

    # WHEN the part comes many times
    outcomes = [worker(receives=receives) for receives in range(1, RENEW_AFTER_RECEIVES)]

    # THEN it always comes again
    assert not any(outcome.done for outcome in outcomes)
    assert (worker.batches.attempts, worker.lanes.dead_letters) == ({}, [])

    # WHEN it came so often that the queue would give it up
    sent = len(worker.queue.parts)
    renewed = worker(receives=RENEW_AFTER_RECEIVES)

    # THEN a copy takes its place
    assert renewed.done
    assert worker.queue.parts[-1] == (worker.message(), LONGEST_RETRY_SECONDS)
    assert len(worker.queue.parts) == sent + 2  # the next part is sent again too

    # WHEN the outage is over
    objects.out = ""
    # THEN
    assert worker().done
    assert len(worker.output()) == 9


@pytest.mark.parametrize("down", ["get_many", "finish_part"])
def test_an_outage_of_the_table_costs_no_attempt(down: str) -> None:
    # GIVEN a table that does not answer, or that other parts of the batch keep busy
    batches = Refusing()
    worker = PartWorker(batches=batches)
    batches.down = {down}

    # WHEN the part comes
    outcome = worker()

    # THEN it comes again, and ends
    assert (outcome.done, isinstance(outcome.problem, StorageUnavailable)) == (False, True)
    batches.down = set()
    assert worker().done
    assert (worker.record.succeeded, worker.record.parts_done) == (9, 1)


def test_a_table_that_cannot_count_an_attempt_has_the_part_come_again() -> None:
    batches = Refusing()
    worker = PartWorker(model=Broken(WEIGHTS, problem=ModelUnavailable("no room")), batches=batches)
    batches.down = {"record_part_attempt"}

    assert not worker().done
    assert (batches.attempts, worker.lanes.dead_letters) == ({}, [])


def test_a_part_is_not_predicted_before_the_next_one_is_sent() -> None:
    # GIVEN a queue that takes nothing
    class Full(SentMessages):
        def send_parts(self, parts: Any, delay_seconds: int = 0) -> None:
            raise QueueUnavailable("full")

    worker = PartWorker(queue=Full())

    # WHEN the part comes
    # THEN it comes again, and so the chain of parts does not break
    assert not worker().done
    assert (worker.model.calls, worker.batches.ended) == ([], {})


def test_letters_that_cannot_be_buried_leave_the_part_for_later() -> None:
    # GIVEN dead letters that are out of reach
    worker = PartWorker()
    worker.objects.put(published().prefix + "model.onnx", b"another")
    worker.lanes.down = "bury"

    # WHEN a part is given up
    # THEN it has not ended, and comes again
    assert not worker().done
    assert worker.batches.ended == {}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda objects, key: objects.delete([key]), "batch-files-missing"),
        (lambda objects, key: objects.put(key, b"other"), "unexpected-fault"),
    ],
    ids=["gone", "written over"],
)
@pytest.mark.parametrize("name", ["request.json", "input/00000.parquet"])
def test_a_part_whose_files_are_not_there_any_more_fails_its_batch(
    change: Callable[[InMemoryObjects, str], None], code: str, name: str
) -> None:
    # GIVEN a batch of which somebody has deleted a file, or has written another one
    objects = InMemoryObjects()
    worker = PartWorker(objects=objects)
    change(objects, BatchKeys(worker.batch.batch_id).folder + name)

    # WHEN a part comes that needs it
    outcome = worker()

    # THEN its message is buried once with the cause, and nothing waits for it
    assert outcome.done
    assert [letter.cause for letter in worker.lanes.dead_letters] == [code]
    ended = (worker.record.status, worker.record.error and worker.record.error.code, worker.record.parts_done)
    without_request = code == "unexpected-fault" and name == "request.json"
    # The part can be ended without the request: its rows have the error, and the batch goes on.
    assert ended == (("running", None, 1) if without_request else ("failed", code, 0))
    assert worker(1).done


def test_a_plan_that_is_gone_fails_the_batch() -> None:
    # GIVEN a later generation without its plan
    worker = PartWorker()
    worker(0)
    worker(1)
    worker.runs_again([0, 1])
    InMemoryObjects.delete(worker.objects, [BatchKeys(worker.batch.batch_id).plan(1)])  # type: ignore[arg-type]

    # WHEN
    assert worker(generation=1).done

    # THEN
    assert (worker.record.status, worker.record.error and worker.record.error.code) == ("failed", "batch-files-missing")


def test_predictions_of_an_earlier_generation_that_are_gone_fail_the_batch() -> None:
    # GIVEN a part that runs again, and whose files are gone
    worker = PartWorker()
    worker(0)
    worker(1)
    part = worker.batches.part(worker.batch.batch_id, 0)
    assert part is not None
    worker.runs_again([0, 1])
    InMemoryObjects.delete(worker.objects, [BatchKeys(worker.batch.batch_id).part_output(part)])  # type: ignore[arg-type]

    # WHEN
    assert worker(generation=1).done

    # THEN
    assert (worker.record.status, worker.record.error and worker.record.error.code) == ("failed", "batch-files-missing")
    assert [letter.cause for letter in worker.lanes.dead_letters] == ["batch-files-missing"]


def test_a_table_that_is_out_of_reach_when_a_part_is_given_up_has_the_message_come_again() -> None:
    # GIVEN a part to be given up, and a table that takes no end of it
    batches = Refusing()
    worker = PartWorker(batches=batches)
    worker.objects.put(published().prefix + "model.onnx", b"another")
    batches.down = {"finish_part"}

    # WHEN it comes
    # THEN it has not ended, and comes again
    assert not worker().done
    assert worker.record.parts_done == 0

    # WHEN the table is back
    batches.down = set()
    # THEN
    assert worker().done
    assert worker.record.parts_done == 1


class TestTime:
    def test_a_part_without_time_comes_again_soon(self) -> None:
        # GIVEN no time
        worker = PartWorker(has_time=lambda: False)

        # WHEN a part comes, for the first time and when the queue would soon give it up
        first, last = worker(), worker(receives=RENEW_AFTER_RECEIVES)

        # THEN nothing was tried, and no attempt counted
        assert (first.done, first.problem, last.done, last.problem) == (False, None, True, None)
        assert [seconds for _, _, seconds in worker.lanes.postponed] == [SOON_SECONDS]
        assert worker.queue.parts == [(worker.message(), SOON_SECONDS)]
        assert (worker.model.calls, worker.batches.attempts) == ([], {})

    def test_a_slow_model_is_not_waited_for_and_ends_its_part_late(self) -> None:
        # GIVEN a model that takes its time
        class Slow(Logits):
            def predict(self, rows: np.ndarray) -> np.ndarray:
                assert go_on.wait(20)
                return super().predict(rows)

        go_on = threading.Event()
        worker = PartWorker(model=Slow(WEIGHTS), calls=PatientCalls())

        # WHEN its part comes, and comes again while it is still at work
        first, second = worker(seconds=0.05), worker(seconds=0.05)

        # THEN one attempt was made
        assert [getattr(each.problem, "code", None) for each in (first, second)] == [
            "model-too-slow",
            "inference-unavailable",
        ]
        assert (first.done, second.done) == (False, False)
        assert list(worker.batches.attempts.values()) == [1]

        # WHEN it has answered
        go_on.set()
        for thread in threading.enumerate():
            if thread.name.startswith("call-"):
                thread.join(20)

        # THEN the part has ended, and its message finds that
        assert worker(seconds=5).done
        assert (worker.model.calls, worker.record.parts_done) == ([9], 1)

    def test_there_is_an_end_to_the_search_for_poison_rows(self) -> None:
        worker = PartWorker(model=Broken(WEIGHTS, problem=ValueError("poison")))

        outcome = worker(seconds=0.0)

        assert (outcome.done, getattr(outcome.problem, "code", None)) == (False, "model-too-slow")
        assert list(worker.batches.attempts.values()) == [1]

    def test_what_a_call_raises_is_raised_to_who_waits(self) -> None:
        calls = PatientCalls()

        def fail() -> None:
            raise TimeoutError("of its own")

        with pytest.raises(TimeoutError, match="of its own"):
            calls("model", fail, 5.0)
        calls("model", lambda: None, 5.0)
