"""Actors behind the API: pollers with their workers, and the sweeps."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from matchcast.errors import MatchcastError
from tests.faults.queues import BATCHES, LANES, WEBHOOKS, Message
from tests.faults.scheduler import Actor, Killed
from tests.faults.world import World

_TROUBLE_LASTS = 300.0
_DELIVERY_SWEEP_SECONDS = 300.0
_FUNCTIONS = {BATCHES: "split_batch", WEBHOOKS: "deliver_webhooks"}


class Pollers:
    """Those who receive messages, have them predicted, and delete what is done."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._actors: dict[str, list[Actor]] = {lane: [] for lane in (*LANES, BATCHES, WEBHOOKS)}
        for lane in LANES:
            for number in range(world.rng.choice(world.plot.pollers)):
                begins = world.rng.uniform(*world.plot.workers_begin)
                if lane == "high":
                    begins += world.rng.uniform(*world.plot.high_workers_begin)
                actor = world.scheduler.start(f"{lane} {number + 1}", self._poller(lane), after=begins)
                self._actors[lane].append(actor)
        for number in range(world.rng.choice(world.plot.pollers) if world.batches.is_on else 0):
            actor = world.scheduler.start(f"batches {number + 1}", self._poller(BATCHES))
            self._actors[BATCHES].append(actor)
        for number in range(world.rng.choice(world.plot.pollers) if world.callbacks.is_on else 0):
            actor = world.scheduler.start(f"webhooks {number + 1}", self._poller(WEBHOOKS))
            self._actors[WEBHOOKS].append(actor)
        world.queues.on_change = self._wake

    def _wake(self, lane: str, moment: float) -> None:
        for actor in self._actors[lane]:
            self._world.scheduler.wake(actor, moment)

    def _poller(self, lane: str) -> Callable[[], None]:
        world = self._world
        queues, scheduler, most = world.queues, world.scheduler, world.rng.choice((1, 2, 10))
        most = {BATCHES: 1, WEBHOOKS: 10}.get(lane, most)
        least = most if lane == WEBHOOKS else 1

        def poll() -> None:
            while True:
                if queues.next_visible(lane) > scheduler.now:
                    scheduler.idle_until(queues.next_visible(lane))
                    continue
                batch = queues.take(lane, world.rng.randint(least, most))
                if batch:
                    world.calls.note(f"receives {', '.join(message.handle for message in batch)}")
                    self._deliver(lane, batch)

        return poll

    def _deliver(self, lane: str, batch: list[Message]) -> None:
        world, began = self._world, self._world.scheduler.now
        function = _FUNCTIONS.get(lane, "run_inference")
        handles = {message.message_id: message.handle for message in batch}
        are_first = all(message.receives == 1 for message in batch)
        try:
            with world.invocations.environment(function) as environment:
                answer = world.invocations.run(function, {"Records": [_record(lane, each) for each in batch]})
        except Killed:
            return
        again = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        world.calls.note(f"{', '.join(sorted(again)) or 'nothing'} has to come again")
        # A worker that shares its environment goes on without a stage whose call takes long.
        is_calm = environment.trouble_at < began - _TROUBLE_LASTS and world.calls.stalled_until < began
        # Messages of webhooks may come early, where two of them are on their way for one attempt.
        if again and are_first and is_calm and (lane != WEBHOOKS or world.is_calm):
            world.witness.findings.needless.append(f"{len(again)} messages had to come again, and nothing was wrong")
        for message_id, handle in handles.items():
            if message_id not in again and world.rng.random() >= world.calls.weather.undeleted:
                world.queues.delete(world.queues.queues[lane], handle)


def _record(lane: str, message: Message) -> dict[str, Any]:
    """Return a message as the function gets it."""
    return {
        "messageId": message.message_id,
        "receiptHandle": message.handle,
        "body": message.body,
        "attributes": {"ApproximateReceiveCount": str(message.receives)},
        "eventSourceARN": f"arn:aws:sqs:us-east-1:123456789012:{lane}",
    }


def sweep(world: World) -> None:
    """Sweep once, as the schedule does every few minutes."""
    try:
        with world.invocations.environment("sweep_dead_letters") as environment:
            world.invocations.run("sweep_dead_letters", {})
    except Killed:
        return
    except MatchcastError as error:
        if environment.trouble_at < world.scheduler.now - _TROUBLE_LASTS:
            world.witness.findings.needless.append(f"the sweep failed: {error!r}")
        world.calls.note(f"the sweep failed: {error!r}")


def sweeps(world: World) -> Callable[[], None]:
    """Return the actor that sweeps now and then."""

    def body() -> None:
        for _ in range(world.rng.randint(0, world.plot.most_sweeps)):
            world.scheduler.pause(world.rng.uniform(*world.plot.sweeps_pause))
            sweep(world)

    return body


class DeliverySweeps:
    """The schedule that has deliver_webhooks sweep every five minutes; where nothing is due it would do nothing."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._swept_at = 0.0
        self._actor = world.scheduler.start("delivery sweep", self._work)
        world.callbacks.on_look = lambda: world.scheduler.wake(self._actor, self._next())

    def _work(self) -> None:
        scheduler = self._world.scheduler
        while True:
            moment = self._next()
            if scheduler.now < moment:
                scheduler.idle_until(moment)
                continue
            self._swept_at = moment
            try:
                with self._world.invocations.environment("deliver_webhooks"):
                    swept = self._world.invocations.run("deliver_webhooks", {})
                    self._world.calls.note(f"swept {swept}")
            except (Killed, MatchcastError) as error:
                self._world.calls.note(f"the sweep of deliveries failed: {error!r}")

    def _next(self) -> float:
        """Return the next time of the schedule at which something is due."""
        due = max(self._world.callbacks.next_look(), self._swept_at + 1.0)
        return math.inf if due == math.inf else _DELIVERY_SWEEP_SECONDS * math.ceil(due / _DELIVERY_SWEEP_SECONDS)
