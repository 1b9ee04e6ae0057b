"""Commands on dead letters end while tasks go on failing, hand letters back, and tell of those that others hide."""

from __future__ import annotations

import itertools
import json
import signal
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

import boto3
import pytest
import typer
from typer.testing import CliRunner

from matchcast.adapters.in_memory import InMemoryLanes, InMemoryTasks
from matchcast.adapters.sqs_dead_letters import SQSDeadLetters
from matchcast.domain.task import Priority, Task, TaskStatus, utc_now
from matchcast.messages import encode
from matchcast.ports import DeadLetter
from matchcast.tasks.dead_letters import Redrive, RedriveDeadLetters
from matchcast_tools.cli import dead_letters as commands
from matchcast_tools.cli import letters_at_hand
from matchcast_tools.laptop import doctor
from matchcast_tools.stack.dead_letters import LetterCount, Queue, count_letters
from tests.support.tasks import NOW, a_task

HIDE_SECONDS = 60


@dataclass
class Stack:
    """A deployed stack as far as the commands look at it."""

    outputs: dict[str, str]

    def client(self, service: str) -> Any:
        return boto3.client(cast("Any", service))

    def output(self, name: str) -> str:
        return self.outputs[name]


@pytest.fixture
def stack(aws: dict[str, str]) -> Any:
    return Stack(aws)


def letters_of(stack: Stack) -> SQSDeadLetters:
    urls = {queue: stack.output(f"{queue.title()}DeadLetterQueueUrl") for queue in Queue}
    return SQSDeadLetters(stack.client("sqs"), urls, wait_seconds=0)


def bury(stack: Stack, lane: Priority, task: Task) -> None:
    url = stack.output(f"{lane.title()}DeadLetterQueueUrl")
    stack.client("sqs").send_message(QueueUrl=url, MessageBody=encode(task))


@dataclass
class Failing(InMemoryLanes):
    """Lanes whose tasks fail as soon as they are sent."""

    tasks: InMemoryTasks = field(default_factory=InMemoryTasks)
    stack: Any = None
    most: int = 200

    def send(self, task: Task, delay_seconds: int = 0) -> None:
        super().send(task, delay_seconds)
        assert len(self.sent) < self.most, "the command has no end"
        self.tasks.finish(task.model_copy(update={"status": TaskStatus.FAILED}))
        bury(self.stack, Priority.NORMAL, task)


@pytest.mark.parametrize("ahead", [0, 3600], ids=["clocks agree", "the queue's clock is behind"])
def test_each_letter_is_redriven_once_while_the_fault_lasts(
    stack: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ahead: int
) -> None:
    # GIVEN ten letters of failed tasks that fail again as soon as they are redriven
    lanes = Failing(stack=stack)
    for _ in range(10):
        task = a_task()
        lanes.tasks.create(task.model_copy(update={"status": TaskStatus.FAILED}))
        bury(stack, Priority.NORMAL, task)
    letters = letters_of(stack)
    act = RedriveDeadLetters(
        letters=letters, tasks=lanes.tasks, lanes=lanes, now=lambda: NOW, lifetime=timedelta(days=1)
    )
    monkeypatch.setattr(letters_at_hand, "dead_letters", lambda _: letters)
    at = utc_now() + timedelta(seconds=ahead)
    monkeypatch.setattr(letters_at_hand, "count_letters", lambda *_: LetterCount(10, 0, at))

    # WHEN they are redriven
    done = dict.fromkeys(map(str, Redrive), 0)
    with letters_at_hand.at_work(stack, Priority.NORMAL) as work:
        work.do(work.letters(), 1000, act.redrive, done)

    # THEN each is redriven once, and the new ones are visible
    assert (done["redriven"], len(lanes.sent)) == (10, 10)
    assert (done["failed again"], work.newer > 0) == ((10, False) if ahead else (0, True))
    assert ("letters or more have come" in capsys.readouterr().err) is not bool(ahead)
    assert (count_letters(stack, Priority.NORMAL).visible, count_letters(stack, Priority.NORMAL).hidden) == (10, 0)


def test_a_command_ends_while_other_tasks_go_on_failing(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN one letter, and a lane in which there is always a new one
    class Endless(InMemoryLanes):
        def receive(self, queue: str, hide_seconds: int) -> Generator[DeadLetter, None, None]:
            yield from super().receive(queue, hide_seconds)
            seconds = itertools.count()
            monkeypatch.setattr(time, "monotonic", lambda: float(next(seconds)))
            for number in range(1000):
                yield DeadLetter(queue, f"new-{number}", "receipt", "{}", None, began + timedelta(seconds=1))
            pytest.fail("the command has no end")

    lanes = Endless()
    lanes.bury(Priority.HIGH, "{}", None, None)
    began = utc_now()
    monkeypatch.setattr(letters_at_hand, "dead_letters", lambda _: lanes)
    monkeypatch.setattr(letters_at_hand, "count_letters", lambda *_: LetterCount(1, 0, began))

    # WHEN its letters are read
    with letters_at_hand.at_work(cast("Any", None), Priority.HIGH) as work:
        read = [letter.message_id for letter in work.letters()]

    # THEN
    assert read == ["letter-0"]


@pytest.fixture
def signals_as_before() -> Iterator[None]:
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    yield
    signal.signal(signal.SIGTERM, before)


def terminated(stack: Any) -> None:
    with letters_at_hand.at_work(stack, Priority.HIGH) as work:
        next(work.letters())
        assert count_letters(stack, Priority.HIGH).hidden == 1
        signal.raise_signal(signal.SIGTERM)


@pytest.mark.usefixtures("signals_as_before")
def test_a_terminated_command_hands_its_letters_back(stack: Any) -> None:
    # GIVEN a letter, and what SIGTERM does before
    bury(stack, Priority.HIGH, a_task())
    outside = signal.getsignal(signal.SIGTERM)

    # WHEN a command that holds it is terminated
    with pytest.raises(KeyboardInterrupt):
        terminated(stack)

    # THEN it is visible again, and signals do what they did
    count = count_letters(stack, Priority.HIGH)
    assert (count.visible, count.hidden) == (1, 0)
    assert signal.getsignal(signal.SIGTERM) is outside


@pytest.fixture
def app(stack: Any, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    monkeypatch.setattr(commands, "find_stack", lambda: stack)
    monkeypatch.setattr(letters_at_hand, "dead_letters", letters_of)
    app = typer.Typer()
    commands.register(app)
    return app


def test_letters_that_another_reader_hides_are_counted(app: typer.Typer, stack: Any) -> None:
    # GIVEN two letters of a lane that another reader has received
    for _ in range(2):
        bury(stack, Priority.NORMAL, a_task())
    assert len(list(letters_of(stack).receive(Priority.NORMAL, HIDE_SECONDS))) == 2

    # WHEN
    ran, shown = CliRunner().invoke(app, ["dlq", "list", "--json"]), CliRunner().invoke(app, ["dlq", "list"])

    # THEN
    assert json.loads(ran.stdout) == [{"lane": "normal", "cause": letters_at_hand.HIDDEN, "letters": 2}]
    assert letters_at_hand.HIDDEN in shown.stdout
    assert "hides 2 letters" in shown.stderr
    high, normal, batches = doctor.check_dead_letters(stack)
    assert (high.state, normal.state, batches.state) == ("ok", "warning", "ok")
    assert "0 dead letters wait" in normal.detail
    assert "hides 2." in normal.detail


@pytest.mark.parametrize(
    "options",
    [
        ("--rate", "nan"),
        ("--rate", "inf"),
        ("--lifetime", "259201"),
        ("--lifetime", "99999999999999999999"),
    ],
)
def test_values_that_no_redrive_can_have_are_refused(app: typer.Typer, options: tuple[str, str]) -> None:
    ran = CliRunner().invoke(app, ["dlq", "redrive", *options])

    assert (ran.exit_code, options[0] in ran.stderr) == (2, True)
