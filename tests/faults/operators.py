"""Operators who redrive and discard letters as they come; a command that was cut off is given again in the end."""

from __future__ import annotations

import math
from typing import Any

from matchcast.errors import InvalidMessage, MatchcastError
from matchcast.messages import decode
from matchcast.ports import DeadLetter
from matchcast_tools.stack.dead_letters import Queue, dead_letters, discarding, redriving
from tests.faults import wire
from tests.faults.queues import url
from tests.faults.scheduler import Killed
from tests.faults.world import World

_OUTPUTS = {
    "HighQueueUrl": url("high"),
    "NormalQueueUrl": url("normal"),
    "HighDeadLetterQueueUrl": url("high-dead"),
    "NormalDeadLetterQueueUrl": url("normal-dead"),
    "BatchesQueueUrl": url("batches"),
    "BatchesDeadLetterQueueUrl": url("batches-dead"),
    "TasksTableName": "tasks",
}


_HIDE_SECONDS = 60


class _Stack:
    """The stack as the commands find it."""

    def __init__(self, world: World) -> None:
        self._outputs = {**_OUTPUTS, "TenantShards": world.environ["TENANT_SHARDS"]}

    def output(self, name: str) -> str:
        """Return one of its outputs."""
        return self._outputs[name]

    def client(self, service: str) -> Any:
        """Return an SDK client."""
        return wire.client(service)


class Operators:
    """Their commands."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._cut_off: dict[str, str] = {}
        self._acted_on: set[str] = set()

    def start(self) -> None:
        """Have up to two operators work during the schedule."""
        for number in range(self._world.rng.choice(self._world.plot.operators)):
            self._world.scheduler.start(f"operator {number + 1}", self._shift)

    def once_more(self) -> None:
        """Give the commands again that were cut off."""
        while self._cut_off:
            wanted, self._cut_off = self._cut_off, {}
            for verb in ("redrive", "discard"):
                mine = {message_id for message_id, given in wanted.items() if given == verb}
                if mine:
                    self._command(verb, mine)
                    # Another reader may have hidden some of them.
                    left = {letter.message_id for letter in self._world.queues.letters()} - self._acted_on
                    self._cut_off |= dict.fromkeys(sorted(mine & left), verb)
            self._world.scheduler.pause(_HIDE_SECONDS)

    def _shift(self) -> None:
        world = self._world
        if world.rng.random() < world.plot.keen:
            # A keen one, who sees every letter as it comes.
            world.queues.readers.append(world.scheduler.me())
        for _ in range(world.rng.randint(1, world.plot.most_commands)):
            world.scheduler.idle_until(world.scheduler.now + world.rng.expovariate(1 / world.plot.operators_pause))
            if world.queues.letters():
                is_discard = world.rng.random() < world.plot.discarded
                self._command("discard" if is_discard else "redrive", wanted=None)

    def _command(self, verb: str, wanted: set[str] | None) -> None:
        """Redrive or discard the wanted letters, or all, or some."""
        world = self._world
        share, seconds = world.rng.choice((0.3, 1.0)), world.rng.choice(world.plot.letter_seconds)
        chosen: list[DeadLetter] = []
        stack: Any = _Stack(world)
        try:
            environment = world.invocations.new("operator")
            with world.scheduler.process(environment, math.inf):
                letters = dead_letters(stack)
                for queue in Queue:
                    for letter in letters.receive(queue, _HIDE_SECONDS):
                        if letter.message_id in wanted if wanted is not None else world.rng.random() < share:
                            chosen.append(letter)
                        else:
                            letters.release(letter)
                while chosen:
                    world.scheduler.pause(seconds)
                    if wanted is None and world.rng.random() < world.plot.cut_off:
                        environment.calls_left = world.rng.randint(1, 4)
                    self._acted_on.discard(chosen[0].message_id)
                    self._act(verb, stack, chosen[0])
                    del chosen[0]
        except (Killed, MatchcastError) as error:
            world.calls.note(f"the command was cut off: {error!r}")
            self._cut_off |= {letter.message_id: verb for letter in chosen}

    def _act(self, verb: str, stack: Any, letter: DeadLetter) -> None:
        world = self._world
        world.witness.ledger.consents.add(letter.message_id)
        if verb == "redrive":
            outcome: object = redriving(stack, world.lifetime).redrive(letter)
        else:
            try:
                task = decode(letter.body)
                for generation in (task.generation, task.generation + 1):
                    world.witness.ledger.discarded.add((task.task_id, generation))
            except InvalidMessage:
                world.witness.poison.discard(letter.body)
            outcome = discarding(stack).discard(letter)
        self._acted_on.add(letter.message_id)
        world.calls.note(f"{verb} of {letter.message_id}: {outcome}")
