"""A command on dead letters whose queue stops answering: it tells what it has done, and hands back what it can."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import boto3
import pytest
import typer
from typer.testing import CliRunner, Result

from matchcast.adapters.in_memory import InMemoryTasks
from matchcast.adapters.sqs_dead_letters import SQSDeadLetters
from matchcast.domain.task import Priority, utc_now
from matchcast.errors import QueueUnavailable
from matchcast.messages import encode
from matchcast.ports import DeadLetter
from matchcast.tasks.dead_letters import DiscardDeadLetters
from matchcast_tools.cli import dead_letters as commands
from matchcast_tools.cli import letters_at_hand
from matchcast_tools.stack.dead_letters import LetterCount
from tests.support.tasks import a_task

LETTERS = 30
FAILS_AT = 12
Discard = Callable[..., Result]


class Breaking(SQSDeadLetters):
    """Letters on SQS, of which one cannot be deleted; from then on the queue takes no letter back, if it `hangs`."""

    def __init__(self, urls: dict[Priority, str]) -> None:
        super().__init__(boto3.client("sqs"), urls, wait_seconds=0)
        self.hangs = False
        self.error: type[BaseException] = QueueUnavailable
        self._deletions, self._lock, self._broken = 0, threading.Lock(), False

    def delete(self, letter: DeadLetter) -> None:
        with self._lock:
            self._deletions += 1
            broken = self._deletions == FAILS_AT
            self._broken |= broken
        if broken:
            raise self.error("The dead letters of the high queue did not answer (ReadTimeoutError).")
        super().delete(letter)

    def _show(self, *given: Any) -> None:
        if self._broken and self.hangs:
            raise QueueUnavailable("The dead letters of the high queue did not answer (ReadTimeoutError).")
        super()._show(*given)


@pytest.fixture
def letters(aws: dict[str, str]) -> Breaking:
    """Thirty letters of queued tasks."""
    urls = {lane: aws[f"{lane.title()}DeadLetterQueueUrl"] for lane in Priority}
    for _ in range(LETTERS):
        boto3.client("sqs").send_message(QueueUrl=urls[Priority.HIGH], MessageBody=encode(a_task()))
    return Breaking(urls)


@pytest.fixture
def discard(letters: Breaking, monkeypatch: pytest.MonkeyPatch) -> Discard:
    """What discards all letters."""
    acting = DiscardDeadLetters(letters=letters, tasks=InMemoryTasks(), now=utc_now)
    monkeypatch.setattr(commands, "find_stack", lambda: None)
    monkeypatch.setattr(commands, "discarding", lambda _: acting)
    monkeypatch.setattr(letters_at_hand, "dead_letters", lambda _: letters)
    monkeypatch.setattr(letters_at_hand, "count_letters", lambda *_: LetterCount(LETTERS, 0, utc_now()))
    app = typer.Typer()
    commands.register(app)
    return lambda *words: CliRunner().invoke(app, ["dlq", "discard", "--yes", "--lane", "high", *words])


def left(aws: dict[str, str]) -> tuple[int, int]:
    """Return how many letters are visible, and how many are hidden."""
    url = aws["HighDeadLetterQueueUrl"]
    found = boto3.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return int(found["ApproximateNumberOfMessages"]), int(found["ApproximateNumberOfMessagesNotVisible"])


@pytest.mark.parametrize("error", [QueueUnavailable, KeyboardInterrupt])
def test_a_command_that_breaks_off_tells_what_it_has_done_and_hands_back_the_rest(
    discard: Discard, letters: Breaking, aws: dict[str, str], error: type[BaseException]
) -> None:
    # GIVEN
    letters.error = error
    # WHEN one letter cannot be deleted
    done = discard("--json", "--rate", "1000")
    # THEN each that is gone was counted, and the others are visible, though the error is still held
    counts = json.loads(done.stdout)
    gone = counts["discarded"] + counts["discarded, task failed"]
    assert FAILS_AT - 1 <= gone < LETTERS
    assert left(aws) == (LETTERS - gone, 0)
    assert "Repeat it for the rest" in done.stderr
    assert done.exit_code != 0
    # WHEN it is repeated
    # THEN nothing is left
    assert discard().exit_code == 0
    assert left(aws) == (0, 0)


def test_a_command_whose_queue_hangs_says_how_long_letters_stay_hidden(
    discard: Discard, letters: Breaking, aws: dict[str, str]
) -> None:
    # GIVEN a queue that answers no more after the eleventh letter
    letters.hangs = True
    # WHEN
    done = discard("--json", "--rate", "50")
    # THEN the first error is the command's, and no letter is lost
    assert isinstance(done.exception, QueueUnavailable)
    assert json.loads(done.stdout)["discarded, task failed"] == LETTERS - sum(left(aws))
    assert "stay hidden for 60 s at most" in done.stderr
    assert "Repeat the command after that" in done.stderr
