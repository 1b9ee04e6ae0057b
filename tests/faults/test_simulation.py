"""That the simulation itself can be trusted: its queues, deaths, outages, lifecycle checks and witness."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta

import pytest

from matchcast.domain.task import CREATE, FINISH, REOPEN, Priority, TaskStatus, WriteRule
from matchcast.errors import StorageUnavailable
from tests.faults.calls import Calls, Outage, Weather
from tests.faults.queues import VISIBILITY_SECONDS, SimulatedQueues
from tests.faults.scheduler import Killed, Scheduler
from tests.faults.table import SimulatedTasks
from tests.faults.witness import Witness
from tests.support.tasks import NOW, a_task


class Stage:
    """A world with one actor and the weather that a test needs."""

    def __init__(self, weather: Weather | None = None) -> None:
        rng = random.Random(1)
        self.scheduler = Scheduler(rng)
        self.calls = Calls(self.scheduler, rng, weather or Weather())
        self.queues = SimulatedQueues(self.calls, self.scheduler, rng, max_receives=2)
        self.tasks = SimulatedTasks(self.calls)

    def play(self, act: Callable[[], None]) -> None:
        self.scheduler.start("actor", act)
        self.scheduler.run()
        self.scheduler.close()


def test_a_received_message_is_hidden_then_comes_again_then_is_dead_lettered() -> None:
    # GIVEN queues that deliver a message twice at most
    stage = Stage()
    task, seen = a_task(), []

    # WHEN a delayed message is received again and again, and never deleted
    def act() -> None:
        stage.queues.send(task, delay_seconds=60)
        for moment in (0, 61, 62, 61 + VISIBILITY_SECONDS, 62 + 2 * VISIBILITY_SECONDS):
            stage.scheduler.idle_until(moment)
            seen.append([received.receive_count for received in stage.queues.receive_batch(Priority.NORMAL, 10)])

    stage.play(act)

    # THEN
    assert seen == [[], [1], [], [2], []]
    assert [(letter.cause, letter.sent_at < 1) for letter in stage.queues.dead[Priority.NORMAL]] == [(None, True)]


def test_a_message_is_deleted_only_with_the_receipt_of_its_last_receive() -> None:
    stage = Stage()

    def act() -> None:
        # GIVEN a message that was received twice
        stage.queues.send(a_task())
        (first,) = stage.queues.receive_batch(Priority.NORMAL, 1)
        stage.scheduler.idle_until(1 + VISIBILITY_SECONDS)
        (second,) = stage.queues.receive_batch(Priority.NORMAL, 1)

        # WHEN it is deleted with the first receipt
        # THEN it stays
        stage.queues.delete_message(Priority.NORMAL, first.receipt_handle)
        assert stage.queues.lanes[Priority.NORMAL]

        # WHEN it is deleted with the second receipt
        # THEN it is gone
        stage.queues.delete_message(Priority.NORMAL, second.receipt_handle)
        assert not stage.queues.lanes[Priority.NORMAL]

    stage.play(act)


def test_a_process_dies_at_its_calls_and_when_its_time_is_over_and_no_other_process_does() -> None:
    # GIVEN weather in which every call of a process kills it
    stage = Stage(Weather(killed=1.0))

    def act() -> None:
        stage.queues.send(a_task())

        # WHEN a process makes a call
        # THEN it dies
        with stage.scheduler.process(), pytest.raises(Killed):
            stage.queues.send(a_task())

        # WHEN a process calls after its time is over, in good weather
        # THEN it dies
        stage.calls.weather = Weather()
        with stage.scheduler.process(10):
            stage.scheduler.pause(11)
            with pytest.raises(Killed):
                stage.queues.send(a_task())

    stage.play(act)

    # THEN only the message that was sent outside of a process is there
    assert len(stage.queues.lanes[Priority.NORMAL]) == 1


def test_an_outage_ends() -> None:
    # GIVEN a table that is out of reach for a minute
    stage = Stage(Weather(outages=(Outage("table", 0, 60),)))
    task = a_task()

    def act() -> None:
        with stage.scheduler.process():
            # WHEN it is called during the outage
            # THEN
            with pytest.raises(StorageUnavailable):
                stage.tasks.create(task)

            # WHEN it is called after the outage
            # THEN
            stage.scheduler.pause(60)
            assert stage.tasks.create(task)

    stage.play(act)


def test_an_unexpected_error_of_an_actor_ends_the_schedule() -> None:
    stage = Stage()

    def act() -> None:
        raise KeyError("unexpected")

    with pytest.raises(KeyError, match="unexpected"):
        stage.play(act)
    stage.scheduler.close()


@pytest.mark.parametrize(
    ("rule", "before", "after", "finding"),
    [
        (FINISH, {}, {"status": TaskStatus.SUCCEEDED, "generation": 1}, "an illegal write"),
        (FINISH, {"status": TaskStatus.CANCELLED}, {"status": TaskStatus.SUCCEEDED}, "an illegal write"),
        (FINISH, {"status": TaskStatus.FAILED}, {"completed_at": NOW, "status": TaskStatus.FAILED}, "an illegal write"),
        (REOPEN, {"status": TaskStatus.FAILED}, {"status": TaskStatus.QUEUED}, "an illegal write"),
        (REOPEN, {"status": TaskStatus.FAILED}, {"status": TaskStatus.EXPIRED, "generation": 1}, "an illegal write"),
        (CREATE, {"status": TaskStatus.FAILED}, {"status": TaskStatus.QUEUED}, "an illegal write"),
        (FINISH, {}, {"stage": "candidate"}, "another request"),
    ],
)
def test_a_write_that_breaks_the_lifecycle_is_noticed(
    rule: WriteRule, before: dict[str, object], after: dict[str, object], finding: str
) -> None:
    tasks, task = Stage().tasks, a_task()

    tasks._check(rule, task.model_copy(update=before), task.model_copy(update=after))

    (found,) = tasks.illegal
    assert found.endswith(finding)


def test_the_steps_of_the_lifecycle_are_legal() -> None:
    # GIVEN a queued and a failed task
    tasks, task = Stage().tasks, a_task()
    failed = task.model_copy(update={"status": TaskStatus.FAILED})

    # WHEN the steps of the lifecycle are checked
    for rule, before, after in (
        (CREATE, None, task),
        (FINISH, task, task.model_copy(update={"attempts": 1})),
        (FINISH, task, failed),
        (REOPEN, failed, task.model_copy(update={"generation": 1})),
    ):
        tasks._check(rule, before, after)

    # THEN
    assert tasks.illegal == []


def test_the_witness_distinguishes_a_changed_state_from_a_redrive_and_from_a_late_answer() -> None:
    # GIVEN a witness that saw a failed task
    witness, task = Witness(), a_task(status=TaskStatus.FAILED)
    later = [NOW + timedelta(seconds=n) for n in range(5)]
    witness.saw(task, NOW, later[0])

    # WHEN it sees an answer to an older request, and a redriven task
    # THEN it finds nothing
    witness.saw(task.model_copy(update={"status": TaskStatus.QUEUED}), NOW, later[1])
    witness.saw(task.model_copy(update={"status": TaskStatus.QUEUED, "generation": 1}), later[1], later[2])
    assert not witness.findings

    # WHEN it sees another final state of the same generation
    witness.saw(task.model_copy(update={"status": TaskStatus.SUCCEEDED}), later[3], later[4])

    # THEN
    assert len(witness.findings.changed) == 1
