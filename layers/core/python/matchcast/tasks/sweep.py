"""The sweep: tasks of letters that SQS itself dead-lettered fail, so that their clients do not wait in vain.

A letter that a worker buried has a cause, and its task has failed: it is passed over without being read. The others
are looked up a hundred at a time. All letters are hidden until the end, or one would come again in place of an unseen
one, and then they are visible to operators again. A sweep that ends early, or dies, leaves the rest to the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice

from matchcast.batch_messages import is_part
from matchcast.domain.task import Priority, Task
from matchcast.errors import Transient
from matchcast.ports import DeadLetter, DeadLetters, TaskStore
from matchcast.tasks.dead_letters import LettersAndRecords

HIDE_SECONDS = 270
"""How long a sweep hides letters at most: longer than it runs, and no longer than until the next one."""
_LETTERS_AT_ONCE = 500
_MOST_LETTERS = 100_000
"""A sweep hides no more: SQS allows 120,000 messages of a queue to be hidden at the same time."""


@dataclass(frozen=True, slots=True)
class Swept:
    """How many letters were seen, and how many tasks failed."""

    letters: int
    failed: int


Handle = Callable[[Sequence[DeadLetter]], int]
"""Ends what some letters without a cause stand for; returns how many tasks, parts or batches had not ended."""


def none_lost(letters: Sequence[DeadLetter]) -> int:  # noqa: ARG001
    """Leave letters alone (a `Handle`)."""
    return 0


def sweep_letters(letters: DeadLetters, queues: Sequence[str], handle: Handle, has_time: Callable[[], bool]) -> Swept:
    """Look at every dead letter once, as long as there is time, and make all visible again."""
    held: list[DeadLetter] = []
    failed = 0
    try:
        for some in _in_turn(letters, queues, has_time):
            held += [replace(letter, body="") for letter in some]
            failed += handle([letter for letter in some if letter.cause is None])
            if len(held) >= _MOST_LETTERS or not has_time():
                break
    finally:
        with suppress(Transient):  # else they are visible when their time is over
            letters.release(*held)
    return Swept(letters=len(held), failed=failed)


class SweepDeadLetters(LettersAndRecords):
    """Fails the tasks of letters without a cause; `lose_parts` is given those that are parts of batches."""

    def __init__(
        self,
        letters: DeadLetters,
        tasks: TaskStore,
        now: Callable[[], datetime],
        threads: Executor | None = None,
        *,
        lose_parts: Handle = none_lost,
    ) -> None:
        super().__init__(letters, tasks, now)
        self._threads = threads
        self._lose_parts = lose_parts

    def sweep(self, has_time: Callable[[], bool] = lambda: True) -> Swept:
        """Look at every dead letter once, as long as there is time, and make all visible again.

        A task that is over, or in a later generation, is left alone.
        """
        return sweep_letters(self._letters, list(Priority), self._fail_all, has_time)

    def _fail_all(self, letters: Sequence[DeadLetter]) -> int:
        """Fail the tasks and parts of some letters; return how many were not over."""
        parts: list[DeadLetter] = []
        others: list[DeadLetter] = []
        for letter in letters:
            (parts if is_part(letter.body) else others).append(letter)
        read = self._read(others)
        open_ones = [task for task, record in read if task is not None and _is_open(task, record or task)]
        failed = sum((self._threads.map if self._threads else map)(self._fail, open_ones))
        return failed + (self._lose_parts(parts) if parts else 0)


def _in_turn(
    letters: DeadLetters, queues: Sequence[str], has_time: Callable[[], bool]
) -> Iterator[Sequence[DeadLetter]]:
    """Yield some letters of each queue in turn, so that many of one do not keep the others waiting."""
    with ExitStack() as stack:
        waiting = [stack.enter_context(closing(letters.receive(queue, HIDE_SECONDS))) for queue in queues]
        while waiting:
            for queue in list(waiting):
                some = _some_of(queue, has_time)
                if some:
                    yield some
                if len(some) < _LETTERS_AT_ONCE:
                    waiting.remove(queue)


def _some_of(queue: Iterator[DeadLetter], has_time: Callable[[], bool]) -> Sequence[DeadLetter]:
    """Return the next letters of a queue: fewer where there are no more, or new ones come slowly until the end."""
    letters: list[DeadLetter] = []
    while len(letters) < _LETTERS_AT_ONCE and has_time():
        some = list(islice(queue, 1))
        if not some:
            break
        letters += some
    return letters


def _is_open(task: Task, record: Task) -> bool:
    return not record.status.is_final and record.generation == task.generation
