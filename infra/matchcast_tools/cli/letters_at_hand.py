"""The dead letters that a command works on: received as it goes on, hidden meanwhile, and handed back at its end.

A command acts on the letters that were sent before it began: those that come meanwhile are left, or it would have no
end while tasks fail. One that is interrupted, by Ctrl-C or SIGTERM, hands back what it has not deleted. One that is
killed, or whose queue no longer answers, leaves letters hidden for the time that it would have needed; nothing is lost.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice

from matchcast.batch_messages import LosePart, RunPart
from matchcast.batches.dead_letters import batch_message_in
from matchcast.errors import Transient
from matchcast.ports import DeadLetter, DeadLetters
from matchcast.tasks.dead_letters import task_in
from matchcast_tools.cli import output
from matchcast_tools.laptop.signals import interrupted_by_signals
from matchcast_tools.progress import Items
from matchcast_tools.stack.dead_letters import LetterCount, Queue, count_letters, dead_letters
from matchcast_tools.stack.deployed import Stack

NO_CAUSE = "(dead-lettered by SQS)"
HIDDEN = "(hidden by another reader)"
"""In place of the causes that a command cannot read."""
FASTEST = 100.0
"""Letters a second that a command surely reads."""
_NEW_ONES_SECONDS = 10
"""When only new letters have come for so long, no other is left to be received."""
_SPARE_SECONDS = 60
_LONGEST_SECONDS = 43_200
"""SQS hides no message for longer."""
_AT_ONCE = 8


@contextmanager
def at_work(stack: Stack, queue: str | None, rate: float = FASTEST) -> Iterator[LettersAtHand]:
    """Work on the letters of one queue or all, at `rate` a second; at the end those that are left are handed back."""
    letters = dead_letters(stack)
    counts: dict[str, LetterCount] = {each: count_letters(stack, each) for each in ([queue] if queue else Queue)}
    if hidden := sum(count.hidden for count in counts.values()):
        output.warn(
            f"Another reader hides {hidden} letters, or did when it was killed. They are left: repeat it later."
        )
    expected = sum(count.visible for count in counts.values())
    hide_seconds = min(_LONGEST_SECONDS, _SPARE_SECONDS + int(expected / min(rate, FASTEST)))
    with interrupted_by_signals(), output.progress_bar("letters") as moved:
        work = LettersAtHand(letters, counts, hide_seconds, expected, moved)
        try:
            yield work
        finally:
            work.hand_back()
    if work.newer:
        output.warn(f"{work.newer} letters or more have come since the command began. They are left: tasks still fail.")


@dataclass
class LettersAtHand:
    """Letters of some queues; `held` are those that were received and not deleted, without their bodies."""

    _letters: DeadLetters
    counts: Mapping[str, LetterCount]
    _hide_seconds: int
    _expected: int
    _moved: Items
    held: dict[tuple[str, str], DeadLetter] = field(default_factory=dict)
    newer: int = 0
    """How many letters were received that were sent after the beginning."""
    _begun: list[Generator[DeadLetter, None, None]] = field(default_factory=list)

    def letters(self, cause: str | None = None, named: str | None = None) -> Iterator[DeadLetter]:
        """Yield the letters that are asked for: of a cause, and of the task or batch of an id."""
        # An error elsewhere leaves the generator open, which still has letters to hand back.
        self._begun.append(letters := self._chosen(cause, named))
        return letters

    def hand_back(self) -> None:
        """Make visible again what was not deleted; say when it will be where the queue does not answer."""
        try:
            for letters in self._begun:
                letters.close()
            self._letters.release(*self.held.values())
        except Transient as error:
            output.warn(
                f"Letters could not be handed back ({error.detail}) They stay hidden for {self._hide_seconds} s at "
                "most, and none is lost. Repeat the command after that: it completes what was begun."
            )

    def _chosen(self, cause: str | None, named: str | None) -> Generator[DeadLetter, None, None]:
        for queue, count in self.counts.items():
            new_ones_since: float | None = None
            with closing(self._letters.receive(queue, self._hide_seconds)) as received:
                for letter in received:
                    self.held[queue, letter.message_id] = replace(letter, body="")
                    self._moved(len(self.held), max(self._expected, len(self.held)), "")
                    if letter.sent_at > count.at:
                        self.newer += 1
                        new_ones_since = new_ones_since or time.monotonic()
                        if time.monotonic() - new_ones_since > _NEW_ONES_SECONDS:
                            break
                        continue
                    new_ones_since = None
                    if cause in (None, cause_of(letter)) and named in (None, *content_of(letter).ids):
                        yield letter

    def do(
        self,
        letters: Iterable[DeadLetter],
        rate: float,
        act: Callable[[DeadLetter], str],
        counts: MutableMapping[str, int],
    ) -> None:
        """Do something with the letters, several at once and `rate` a second; count each outcome as it comes."""
        counting = threading.Lock()

        def count(letter: DeadLetter) -> None:
            outcome = str(act(letter))
            with counting:
                counts[outcome] += 1

        rest, at_once = iter(letters), min(_AT_ONCE, max(1, int(rate)))
        threads = ThreadPoolExecutor(at_once)
        try:
            while some := list(islice(rest, at_once)):
                started = time.monotonic()
                for _ in threads.map(count, some):
                    pass
                time.sleep(max(0.0, len(some) / rate - (time.monotonic() - started)))
        finally:
            # Those beside one that failed are finished, and counted.
            threads.shutdown(cancel_futures=True)


def cause_of(letter: DeadLetter) -> str:
    """Return why a letter is there, in a word."""
    return letter.cause or NO_CAUSE


@dataclass(frozen=True, slots=True)
class Content:
    """What a letter carries, as far as it can be read: a task, or what is to be done with a batch or its part."""

    kind: str | None = None
    tenant: str | None = None
    task_id: str | None = None
    batch_id: str | None = None
    part: int | None = None

    @property
    def ids(self) -> tuple[str, ...]:
        """Return the id by which the letter can be chosen."""
        return tuple(each for each in (self.task_id, self.batch_id) if each is not None)


def content_of(letter: DeadLetter) -> Content:
    """Return what a letter carries."""
    message = batch_message_in(letter)
    if message is not None:
        number = message.number if isinstance(message, (LosePart, RunPart)) else None
        return Content(message.kind, message.tenant, batch_id=message.batch_id, part=number)
    task = task_in(letter)
    return Content() if task is None else Content("task", task.tenant, task_id=task.task_id)
