"""Actors behind the API: pollers with their workers, the sweep, operators, and senders of poison."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from matchcast.domain.task import Priority
from matchcast.errors import MatchcastError
from matchcast.ports import DeadLetter
from matchcast.tasks.help_high_lane import HelpHighLane
from tests.faults.scheduler import Actor, Killed
from tests.faults.world import World

WORKER_SECONDS = 60.0
OPERATORS_HIDE_SECONDS = 60
POISON = ("no json at all, {}", '{{"version":99,"task_id":"{}"}}', '{{"version":1,"task_id":"{}"}}')


class Pollers:
    """Those who receive messages, have them predicted, and delete what is done."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._actors: dict[Priority, list[Actor]] = {lane: [] for lane in Priority}
        for lane in Priority:
            for number in range(world.rng.randint(1, 2)):
                actor = world.scheduler.start(f"{lane} {number + 1}", self._poller(lane))
                self._actors[lane].append(actor)
        world.queues.on_change = self._wake

    def _wake(self, lane: Priority, moment: float) -> None:
        for actor in self._actors[lane]:
            self._world.scheduler.wake(actor, moment)

    def _is_before(self, moment: float) -> bool:
        return self._world.scheduler.now < moment

    def _poller(self, lane: Priority) -> Callable[[], None]:
        world = self._world
        queues, scheduler, most = world.queues, world.scheduler, world.rng.choice((1, 2, 4, 10))

        def poll() -> None:
            worker = world.new_worker()
            while True:
                if queues.next_visible(lane) > scheduler.now:
                    scheduler.idle_until(queues.next_visible(lane))
                    continue
                batch = queues.receive_batch(lane, world.rng.randint(1, most))
                if not batch:
                    continue
                world.calls.note(f"receives messages {', '.join(received.receipt_handle for received in batch)}")
                handles = {received.message_id: received.receipt_handle for received in batch}
                try:
                    with scheduler.process(WORKER_SECONDS):
                        outcomes = worker.run(batch)
                        if lane is Priority.NORMAL and all(outcome.done for outcome in outcomes):
                            HelpHighLane(worker, queues).help(
                                partial(self._is_before, scheduler.now + WORKER_SECONDS / 2)
                            )
                        for outcome in outcomes:
                            if outcome.done:
                                handle = handles[outcome.message_id]
                                delete = lambda handle=handle: queues.delete_message(lane, handle)  # noqa: E731
                                world.calls("queue", f"delete message {handle}", delete)
                except Killed:
                    worker = world.new_worker()
                except MatchcastError as error:
                    world.calls.note(f"the function failed: {error}")

        return poll


class Operators:
    """Operators who redrive letters as they come; a command that was cut off is given again in the end."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._cut_off: set[str] = set()

    def start(self) -> None:
        """Have up to two operators work during the schedule."""
        for number in range(self._world.rng.choice((0, 1, 2))):
            self._world.scheduler.start(f"operator {number + 1}", self._shift)

    def _shift(self) -> None:
        world = self._world
        if world.rng.random() < 0.5:
            # A keen one, who sees every letter as it comes.
            world.queues.readers.append(world.scheduler.me())
        for _ in range(world.rng.randint(4, 16)):
            world.scheduler.idle_until(world.scheduler.now + world.rng.expovariate(1 / 20))
            self._redrive(wanted=None)

    def once_more(self) -> None:
        """Give the commands again that were cut off."""
        while self._cut_off:
            wanted, self._cut_off = self._cut_off, set()
            self._redrive(wanted)
            self._world.scheduler.pause(OPERATORS_HIDE_SECONDS)

    def _redrive(self, wanted: set[str] | None) -> None:
        """Redrive the wanted letters, or all, or some."""
        world = self._world
        share = world.rng.choice((0.3, 1.0))
        chosen: list[DeadLetter] = []
        try:
            with world.scheduler.process(math.inf):
                for lane in Priority:
                    for letter in world.queues.receive(lane, OPERATORS_HIDE_SECONDS):
                        if letter.message_id in wanted if wanted is not None else world.rng.random() < share:
                            chosen.append(letter)
                        else:
                            world.queues.release(letter)
                while chosen:
                    outcome = world.redrive.redrive(chosen[0])
                    world.calls.note(f"letter {chosen[0].message_id}: {outcome}")
                    del chosen[0]
        except (Killed, MatchcastError) as error:
            world.calls.note(f"the command was cut off: {error!r}")
            self._cut_off |= {letter.message_id for letter in chosen}


def sweep(world: World) -> None:
    """Sweep once, as the schedule does every few minutes."""
    try:
        with world.scheduler.process(WORKER_SECONDS):
            world.sweep.sweep()
    except (Killed, MatchcastError) as error:
        world.calls.note(f"the sweep was cut off: {error!r}")


def sweeps(world: World) -> Callable[[], None]:
    """Return the actor that sweeps now and then."""

    def body() -> None:
        for _ in range(world.rng.randint(1, 6)):
            world.scheduler.pause(world.rng.uniform(5, 120))
            sweep(world)

    return body


def sends_poison(world: World) -> Callable[[], None]:
    """Return an actor that sends unreadable messages."""

    def body() -> None:
        for number in range(world.rng.randint(1, 2)):
            world.scheduler.pause(world.rng.uniform(0, 30))
            poison = world.rng.choice(POISON).format(number)
            world.witness.poison.add(poison)
            world.queues.put(world.rng.choice(list(Priority)), poison)

    return body
