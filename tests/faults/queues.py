"""Simulated SQS: visibility, delays, duplicates, no order, and the dead letters after too many receives."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

from matchcast.domain.task import Priority, Task
from matchcast.messages import encode
from matchcast.ports import DeadLetter, Received
from tests.faults.calls import Calls
from tests.faults.scheduler import Actor, Scheduler
from tests.faults.table import short

VISIBILITY_SECONDS = 420.0
_LATEST_DUPLICATE_SECONDS = 900.0


@dataclass(eq=False)
class Message:
    """A message of a queue or among its dead letters; a letter without a cause was put there by the queue."""

    number: int
    body: str
    sent_at: float
    visible_at: float
    cause: str | None = None
    receives: int = 0

    @property
    def handle(self) -> str:
        """Return the receipt of its latest receive; those of earlier ones are worth nothing."""
        return f"{self.number}/{self.receives}"


class SimulatedQueues:
    """Both lanes with their dead letters: a `PredictionQueue` and `DeadLetters`, and what pollers do with a lane.

    A lost duplicate is a copy with a life of its own: the queue may deliver a message again at any time, even
    after it was deleted.
    """

    def __init__(self, calls: Calls, scheduler: Scheduler, rng: random.Random, max_receives: int) -> None:
        self.lanes: dict[Priority, list[Message]] = {lane: [] for lane in Priority}
        self.dead: dict[Priority, list[Message]] = {lane: [] for lane in Priority}
        self.on_change: Callable[[Priority, float], None] | None = None
        """Who hears when a message of a lane will be visible."""
        self.readers: list[Actor] = []
        """Whom a new dead letter wakes."""
        self._calls = calls
        self._scheduler = scheduler
        self._rng = rng
        self._max_receives = max_receives
        self._numbers = itertools.count(1)

    # What pollers do.

    def next_visible(self, lane: Priority) -> float:
        """Return when the next message of a lane can be received."""
        return min((message.visible_at for message in self.lanes[lane]), default=math.inf)

    def receive_batch(self, lane: Priority, most: int) -> list[Received]:
        """Receive some visible messages in no order, hiding them; those received too often are buried instead."""
        now, batch = self._scheduler.now, []
        visible = [message for message in self.lanes[lane] if message.visible_at <= now]
        for message in self._rng.sample(visible, min(most, len(visible))):
            if message.receives >= self._max_receives:
                self.lanes[lane].remove(message)
                self.dead[lane].append(Message(message.number, message.body, message.sent_at, now))
                self._calls.note(f"the queue dead-letters message {message.number}")
                continue
            message.receives += 1
            message.visible_at = now + VISIBILITY_SECONDS
            batch.append(Received(str(message.number), message.handle, message.body, lane, message.receives))
        return batch

    def delete_message(self, lane: Priority, handle: str) -> None:
        """Delete a received message, unless another reader has received it since."""
        self.lanes[lane] = [message for message in self.lanes[lane] if message.handle != handle]

    def put(self, lane: Priority, body: str, delay_seconds: float = 0.0) -> None:
        """Add a message, and perhaps a duplicate that comes when it likes."""
        now = self._scheduler.now
        delays = [delay_seconds]
        if self._rng.random() < self._calls.weather.duplicated:
            delays.append(delay_seconds + self._rng.random() ** 4 * _LATEST_DUPLICATE_SECONDS)
        for delay in delays:
            self.lanes[lane].append(Message(next(self._numbers), body, now, now + delay))
            self._tell(lane, now + delay)

    # `PredictionQueue`.

    def send(self, task: Task, delay_seconds: int = 0) -> None:
        name = f"send {short(task.task_id)} g{task.generation}" + f" in {delay_seconds} s" * bool(delay_seconds)
        body = encode(task)
        self._calls("queue", name, lambda: self.put(task.priority, body, delay_seconds))

    def retry_later(self, lane: Priority, receipt_handle: str, seconds: int) -> None:
        def change() -> None:
            for message in self.lanes[lane]:
                if message.handle == receipt_handle:
                    message.visible_at = self._scheduler.now + seconds
                    self._tell(lane, message.visible_at)

        self._calls("queue", f"try message {receipt_handle} again in {seconds} s", change)

    def bury(self, lane: Priority, body: str, cause: str, task_id: str | None) -> None:
        def put() -> None:
            now = self._scheduler.now
            self.dead[lane].append(Message(next(self._numbers), body, now, now, cause))
            for reader in self.readers:
                self._scheduler.wake(reader, now)

        self._calls("queue", f"bury {short(task_id) if task_id else body[:20]} because of {cause}", put)

    def take(self, lane: Priority) -> Sequence[Received]:
        return self._calls("queue", f"take from {lane}", lambda: self.receive_batch(lane, 10))

    def remove(self, lane: Priority, taken: Sequence[Received]) -> None:
        def delete() -> None:
            for received in taken:
                self.delete_message(lane, received.receipt_handle)

        self._calls("queue", f"delete {len(taken)} messages of the {lane} lane", delete)

    # `DeadLetters`.

    def receive(self, lane: Priority, hide_seconds: int) -> Generator[DeadLetter, None, None]:
        def hide() -> list[DeadLetter]:
            now, letters = self._scheduler.now, []
            for message in self.dead[lane]:
                if message.visible_at <= now:
                    message.receives += 1
                    message.visible_at = now + hide_seconds
                    letters.append(self._letter(lane, message))
            return letters

        yield from self._calls("queue", f"receive {lane} dead letters", hide, writes=False)

    def release(self, *letters: DeadLetter) -> None:
        def show() -> None:
            for letter in letters:
                for message in self.dead[letter.lane]:
                    if message.handle == letter.receipt_handle:
                        message.visible_at = self._scheduler.now

        self._calls("queue", f"release letters {', '.join(letter.message_id for letter in letters)}", show)

    def delete(self, letter: DeadLetter) -> None:
        def delete() -> None:
            # A receipt deletes even where another reader has received the letter since.
            self.dead[letter.lane] = [
                message for message in self.dead[letter.lane] if str(message.number) != letter.message_id
            ]

        self._calls("queue", f"delete letter {letter.message_id}", delete)

    def _tell(self, lane: Priority, moment: float) -> None:
        if self.on_change is not None:
            self.on_change(lane, moment)

    def _letter(self, lane: Priority, message: Message) -> DeadLetter:
        return DeadLetter(
            lane, str(message.number), message.handle, message.body, message.cause, self._scheduler.true_time()
        )
