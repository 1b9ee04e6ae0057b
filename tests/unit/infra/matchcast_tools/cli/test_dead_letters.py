"""`matchcast dlq`: letters are counted, shown, redriven and discarded as the options choose them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

import pytest
import typer
from typer.testing import CliRunner

from matchcast.adapters.in_memory import InMemoryLanes, InMemoryTasks
from matchcast.batch_messages import JoinBatch, LosePart, encode_message
from matchcast.batches.dead_letters import DiscardBatchLetters, RedriveBatchLetters
from matchcast.domain.batch import Batch, BatchStatus
from matchcast.domain.task import Priority, TaskStatus, utc_now
from matchcast.messages import decode, encode
from matchcast.ports import DeadLetter
from matchcast.tasks.dead_letters import Discard, DiscardDeadLetters, RedriveDeadLetters, task_in
from matchcast_tools.cli import dead_letters as commands
from matchcast_tools.cli import letters_at_hand
from matchcast_tools.stack.dead_letters import DiscardLetters, LetterCount, RedriveLetters
from tests.support.batch_flow import MIXED, Flow
from tests.support.tasks import NOW, a_task

TASK = a_task()
BROKEN = "not a task"


def counted(visible: int, hidden: int = 0) -> LetterCount:
    return LetterCount(visible, hidden, utc_now())


@pytest.fixture
def lanes() -> InMemoryLanes:
    """One letter of a queued task without a cause, and one that cannot be read."""
    lanes = InMemoryLanes()
    lanes.bury(Priority.NORMAL, encode(TASK), None, None)
    lanes.bury(Priority.HIGH, BROKEN, "invalid-message", None)
    return lanes


@pytest.fixture
def tasks() -> InMemoryTasks:
    tasks = InMemoryTasks()
    tasks.create(TASK)
    return tasks


@pytest.fixture
def flow() -> Flow:
    """A service of batches."""
    return Flow(size=5)


@pytest.fixture
def app(lanes: InMemoryLanes, tasks: InMemoryTasks, flow: Flow, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    """The commands on these letters."""

    of_batches: dict[str, Any] = {
        "letters": lanes,
        "batches": flow.records,
        "queue": flow.queue,
        "now": lambda: NOW,
    }

    def redriving(_: Any, lifetime: timedelta) -> RedriveLetters:
        of_tasks = RedriveDeadLetters(letters=lanes, tasks=tasks, lanes=lanes, now=lambda: NOW, lifetime=lifetime)
        return RedriveLetters(of_tasks, RedriveBatchLetters(**of_batches))

    monkeypatch.setattr(commands, "find_stack", lambda: None)
    monkeypatch.setattr(letters_at_hand, "dead_letters", lambda _: lanes)
    monkeypatch.setattr(letters_at_hand, "count_letters", lambda *_: counted(1))
    monkeypatch.setattr(commands, "redriving", redriving)
    discarding = DiscardDeadLetters(letters=lanes, tasks=tasks, now=lambda: NOW)
    both = DiscardLetters(discarding, DiscardBatchLetters(**of_batches))
    monkeypatch.setattr(commands, "discarding", lambda _: both)
    app = typer.Typer()
    commands.register(app)
    return app


@pytest.fixture
def dlq(app: typer.Typer) -> Any:
    """What runs a command; it answers the JSON that the command prints."""

    def run(*arguments: str, json_wanted: bool = True) -> Any:
        ran = CliRunner().invoke(app, ["dlq", *arguments, *(["--json"] if json_wanted else [])])
        assert ran.exception is None
        return json.loads(ran.stdout) if json_wanted else ran.stdout

    return run


def test_letters_are_counted_by_lane_and_cause(dlq: Any) -> None:
    assert dlq("list") == [
        {"lane": "high", "cause": "invalid-message", "letters": 1},
        {"lane": "normal", "cause": letters_at_hand.NO_CAUSE, "letters": 1},
    ]
    assert [row["lane"] for row in dlq("list", "--lane", "normal")] == ["normal"]


@pytest.mark.parametrize(
    ("options", "bodies"),
    [
        ((), {BROKEN, encode(TASK)}),
        (("--cause", "invalid-message"), {BROKEN}),
        (("--task", TASK.task_id), {encode(TASK)}),
        (("--task", "another"), set()),
        (("--task", TASK.task_id, "--lane", "high"), set()),
    ],
)
def test_the_letters_that_were_asked_for_are_shown(dlq: Any, options: tuple[str, ...], bodies: set[str]) -> None:
    shown = dlq("show", *options)
    assert {letter["body"] for letter in shown} == bodies
    assert all((letter["task_id"] == TASK.task_id) == (letter["body"] != BROKEN) for letter in shown)


def test_people_are_shown_the_same(dlq: Any) -> None:
    assert "invalid-message" in dlq("list", json_wanted=False)
    shown = dlq("show", json_wanted=False)
    assert f"task_id: {TASK.task_id}" in shown
    assert f"  {BROKEN}\n" in shown
    assert "redriven: 1" in dlq("redrive", "--task", TASK.task_id, json_wanted=False)


def test_a_dry_run_says_what_would_happen_and_changes_nothing(
    dlq: Any, lanes: InMemoryLanes, tasks: InMemoryTasks
) -> None:
    before = list(lanes.dead_letters)
    planned = {"redriven": 1, "moved on": 0, "no task": 1, "failed again": 0, "needs retry-failed": 0}
    assert dlq("redrive", "--dry-run") == {"planned": planned, "dry_run": True}
    expected = dict.fromkeys(map(str, Discard), 0) | {"discarded": 1, "discarded, task failed": 1}
    assert dlq("discard", "--dry-run")["planned"] == expected
    assert lanes.dead_letters == before
    assert tasks.get_many([TASK.task_id])[TASK.task_id] == TASK


@pytest.mark.parametrize(("command", "outcome"), [("redrive", "redriven: 1"), ("discard", "discarded: 1")])
def test_a_dry_run_does_not_tell_people_that_it_was_done(dlq: Any, command: str, outcome: str) -> None:
    said = dlq(command, "--dry-run", json_wanted=False)
    assert said.startswith(f"Nothing was changed. It would be {outcome}")


@pytest.mark.parametrize("command", ["list", "show"])
def test_people_are_told_that_there_is_nothing(dlq: Any, lanes: InMemoryLanes, command: str) -> None:
    lanes.dead_letters.clear()
    assert dlq(command) == []
    assert "There are no" in dlq(command, json_wanted=False)


def test_people_are_told_that_no_letter_is_like_that(dlq: Any) -> None:
    assert dlq("show", "--cause", "another", json_wanted=False) == "There are no such dead letters.\n"


@pytest.mark.parametrize(("answer", "left"), [("y\n", 0), ("n\n", 2), ("", 2)])
def test_the_question_before_a_discard_is_no_part_of_the_answer(
    app: typer.Typer, lanes: InMemoryLanes, answer: str, left: int
) -> None:
    # WHEN someone is asked, or nobody is there
    ran = CliRunner().invoke(app, ["dlq", "discard", "--json"], input=answer)
    # THEN the question is on stderr, and stdout has the answer of the command alone
    assert "Go on?" in ran.stderr
    assert (json.loads(ran.stdout)["discarded"] if left == 0 else ran.stdout) == (1 if left == 0 else "")
    assert (len(lanes.dead_letters), ran.exit_code) == (left, 0 if left == 0 else 1)


@pytest.fixture
def batch(flow: Flow, lanes: InMemoryLanes) -> Batch:
    """A batch that runs: letters of one of its two parts, of a join, and of a lost part of an earlier generation."""
    batch = flow.submitted(MIXED)
    flow.step()
    part, _ = flow.queue.bodies
    flow.queue.messages.pop(0)
    name = {"batch_id": batch.batch_id, "tenant": "north"}
    lanes.bury(Priority.NORMAL, encode_message(part), None, None)
    lanes.bury("batches", encode_message(JoinBatch.model_validate(name)), "storage-unavailable", None)
    lost = {**name, "generation": 1, "position": 0, "number": 1}
    lanes.bury("batches", encode_message(LosePart.model_validate(lost)), None, None)
    return batch


def test_letters_of_batches_are_counted_and_shown_as_what_they_are(dlq: Any, batch: Batch) -> None:
    # WHEN
    counted = dlq("list", "--lane", "batches")
    shown = dlq("show", "--batch", batch.batch_id)

    # THEN
    assert counted == [
        {"lane": "batches", "cause": letters_at_hand.NO_CAUSE, "letters": 1},
        {"lane": "batches", "cause": "storage-unavailable", "letters": 1},
    ]
    names = ("lane", "kind", "batch_id", "tenant", "part", "task_id", "redrive")
    assert [tuple(letter[name] for name in names) for letter in shown] == [
        ("normal", "part", batch.batch_id, "north", 0, None, "redriven"),
        ("batches", "join", batch.batch_id, "north", None, None, "redriven"),
        ("batches", "lose", batch.batch_id, "north", 1, None, "moved on"),
    ]
    assert "kind: part, tenant: north, batch_id: " in dlq("show", "--lane", "normal", json_wanted=False)


def test_letters_of_tasks_and_batches_are_redriven_together(
    dlq: Any, batch: Batch, flow: Flow, lanes: InMemoryLanes
) -> None:
    # WHEN
    done = dlq("redrive")

    # THEN the task and the batch go on, and what nobody can read stays
    assert (done["redriven"], done["moved on"], done["no task"]) == (3, 1, 1)
    assert [letter.body for letter in lanes.dead_letters] == [BROKEN]
    assert [decode(body).task_id for _, body, _ in lanes.sent] == [TASK.task_id]
    flow.settle()
    flow.rows(batch)


def test_letters_of_batches_are_discarded_and_what_waits_for_them_ends(
    dlq: Any, batch: Batch, flow: Flow, lanes: InMemoryLanes
) -> None:
    # WHEN
    done = dlq("discard", "--yes", "--batch", batch.batch_id)

    # THEN
    found = {outcome: count for outcome, count in done.items() if count}
    assert found == {"discarded": 1, "discarded, part fails": 1, "discarded, batch failed": 1}
    assert flow.batch(batch).status is BatchStatus.FAILED
    assert len(lanes.dead_letters) == 2


@dataclass
class Interrupted(InMemoryLanes):
    """Letters that remember which are hidden; the third deletion is interrupted by Ctrl-C."""

    hidden: set[str] = field(default_factory=set)
    deletions: int = 0

    def receive(self, queue: str, hide_seconds: int) -> Generator[DeadLetter, None, None]:
        for letter in super().receive(queue, hide_seconds):
            self.hidden.add(letter.message_id)
            yield letter

    def release(self, *letters: DeadLetter) -> None:
        self.hidden -= {letter.message_id for letter in letters}

    def delete(self, letter: DeadLetter) -> None:
        self.deletions += 1
        if self.deletions == 3:
            raise KeyboardInterrupt
        super().delete(letter)


@pytest.fixture
def many() -> Interrupted:
    lanes = Interrupted()
    for _ in range(30):
        lanes.bury(Priority.NORMAL, encode(a_task()), None, None)
    return lanes


def test_an_interrupted_command_hands_back_every_letter_that_it_has_not_deleted(
    many: Interrupted, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN thirty letters of queued tasks, and a command that is interrupted while it deletes the third
    tasks = InMemoryTasks()
    for letter in many.dead_letters:
        task = task_in(letter)
        assert task is not None
        tasks.create(task)
    monkeypatch.setattr(letters_at_hand, "dead_letters", lambda _: many)
    monkeypatch.setattr(letters_at_hand, "count_letters", lambda *_: counted(15))
    redriving = RedriveDeadLetters(letters=many, tasks=tasks, lanes=many, now=lambda: NOW, lifetime=timedelta(days=1))

    # WHEN it redrives them
    with pytest.raises(KeyboardInterrupt), letters_at_hand.at_work(cast("Any", None), None) as work:
        work.do(work.letters(), 10_000, redriving.redrive, Counter())

    # THEN what is left is visible
    assert 0 < len(many.dead_letters) < 30
    assert not many.hidden & {letter.message_id for letter in many.dead_letters}

    # WHEN it is repeated
    with letters_at_hand.at_work(cast("Any", None), None) as work:
        work.do(work.letters(), 10_000, redriving.redrive, Counter())

    # THEN every task is in its next generation, with its message sent, and no letter is left
    assert many.dead_letters == []
    sent = {decode(body).task_id for _, body, _ in many.sent}
    assert {(task.status, task.generation) for task in tasks._tasks.values()} == {(TaskStatus.QUEUED, 1)}
    assert sent == set(tasks._tasks)


def test_letters_are_hidden_as_long_as_the_command_needs_for_all_of_them(
    lanes: InMemoryLanes, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN thirty thousand letters
    hidden: list[int] = []

    def receive(lane: Priority, hide_seconds: int) -> Generator[DeadLetter, None, None]:
        hidden.append(hide_seconds)
        yield from ()

    monkeypatch.setattr(lanes, "receive", receive)
    monkeypatch.setattr(letters_at_hand, "dead_letters", lambda _: lanes)
    monkeypatch.setattr(letters_at_hand, "count_letters", lambda *_: counted(30_000))

    # WHEN one lane is worked on at 50 a second, at 1 a second, and as fast as it can be read
    for rate in (50, 1, letters_at_hand.FASTEST):
        with letters_at_hand.at_work(cast("Any", None), Priority.HIGH, rate) as work:
            assert list(work.letters()) == []

    # THEN
    assert hidden == [660, 30_060, 360]


def test_a_redriven_task_leaves_the_letters_that_were_not_chosen(dlq: Any, lanes: InMemoryLanes) -> None:
    done = dlq("redrive", "--task", TASK.task_id)
    assert (done["redriven"], done["dry_run"]) == (1, False)
    assert [letter.body for letter in lanes.dead_letters] == [BROKEN]


def test_a_discarded_letter_is_gone_and_its_task_has_failed(
    dlq: Any, lanes: InMemoryLanes, tasks: InMemoryTasks
) -> None:
    dlq("discard", "--yes")
    assert lanes.dead_letters == []
    assert tasks.get_many([TASK.task_id])[TASK.task_id].status is TaskStatus.FAILED
