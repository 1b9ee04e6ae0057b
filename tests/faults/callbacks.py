"""What becomes of callbacks: final states, the records of their events and what receivers saw, judged together."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from matchcast.adapters.webhook_items import read_delivery
from matchcast.domain.webhook import Delivery
from tests.faults.delivery_steps import DeliverySteps
from tests.faults.expressions import Item
from tests.faults.queues import WEBHOOKS
from tests.faults.receivers import DAY, FAILING, WORKS, Receiver
from tests.faults.signatures import Signatures

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.faults.world import World

_UNREADABLE = (
    "no json at all, {}",
    '{"version":1,"kind":"attempt","tenant":"north","event_id":"evt {}","series":0,"tried":0}',
    '{"version":9,"kind":"event","event":{}}',
)
_FINAL = ("succeeded", "failed", "cancelled", "expired")
_MOST_ATTEMPTS = 10
_FAR = 2 * DAY


@dataclass(frozen=True)
class Final:
    """A final state of a subject with a callback."""

    kind: str
    tenant: str
    url: str
    subject_id: str
    at: datetime


class Callbacks:
    """What is known of callbacks, besides what clients were answered."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.is_on = world.rng.random() < world.plot.callbacks
        """Whether the schedule has any."""
        self.finals: dict[str, Final] = {}
        """Every final state that was ever written, by the id that its event has to have."""
        self.addresses: dict[str, list[str]] = defaultdict(list)
        """Where each tenant wants to be called back, as soon as it has a secret."""
        self.replays: set[str] = set()
        """Events, and tenants, of which a client asked for a replay."""
        self.replayed_at: dict[str, float] = {}
        """When a client last had all events of a tenant replayed."""
        self.enabled: set[str] = set()
        """Tenants that enabled endpoints."""
        self.poison: set[str] = set()
        """What nobody can read, and has to become a letter."""
        self.on_look: Callable[[], None] = lambda: None
        """Is told when the sweep may have something else to look at."""
        self.steps = DeliverySteps(world, self)
        self.signatures = Signatures(world)
        self._bodies: dict[str, bytes] = {}
        self._posts: dict[str, int] = defaultdict(int)

    def an_address(self, tenant: str) -> str | None:
        """Draw where a new task or batch of a tenant calls back, if it does."""
        addresses = self.addresses.get(tenant)
        rng: random.Random = self.world.rng
        return rng.choice(addresses) if addresses and rng.random() < self.world.plot.called_back else None

    def send_poison(self) -> None:
        """Send what nobody can read by the stream and by the queue."""
        rng, queues = self.world.rng, self.world.queues
        for number in range(rng.randint(1, self.world.plot.most_poison)):
            self.world.scheduler.pause(rng.expovariate(1 / 20))
            if rng.random() < 0.5:
                image = {"callback_url": {"S": "x"}, "status": {"S": "failed"}, "sk": {"S": "task"}}
                record = self.world.stream.add(None, {"pk": {"S": f"task#poison {number}"}, **image})
                self.poison.add(json.dumps(record))
            else:
                body = rng.choice(_UNREADABLE).replace("{}", str(number))
                self.poison.add(queues.put(queues.queues[WEBHOOKS], body).body)

    def subject_written(self, before: Item | None, after: Item | None) -> None:
        """Take in a write of a task or batch."""
        if not self.is_on or after is None or "callback_url" not in after:
            return
        if after["status"]["S"] in _FINAL:
            kind, subject_id = after["sk"]["S"], after["pk"]["S"].partition("#")[2]
            state = after["status"]["S"]
            self.finals.setdefault(
                f"evt_{subject_id.replace('-', '')}_{after['generation']['N']}",
                Final(
                    kind=f"{kind}.{'completed' if (kind, state) == ('batch', 'succeeded') else state}",
                    tenant=after["tenant"]["S"],
                    url=after["callback_url"]["S"],
                    subject_id=subject_id,
                    at=self.now(),
                ),
            )
        self.world.stream.add(before, after)

    def written(self, before: Item | None, after: Item | None) -> None:
        """Take in a write of the table of webhooks."""
        item = after or before
        if item is None:
            return
        if item["pk"]["S"].startswith("subject#"):
            self.steps.written(before, after)
            self.on_look()
        elif item["sk"]["S"].startswith("secret#"):
            self.signatures.written(after)

    def posted(self, receiver: Receiver, headers: Mapping[str, str], body: bytes) -> None:
        """Judge a request as its receiver sees it."""
        findings, event_id = self.world.witness.findings, headers["webhook-id"]
        final, what = self.finals.get(event_id), event_id[-8:]
        if final is None:
            findings.illegal.append(f"{what} is sent, and is no final state that ever was")
            return
        sent = self.world.parsed(body.decode())
        if (final.tenant, final.url) != (receiver.tenant, receiver.url):
            findings.illegal.append(f"{what} is sent to the receiver of somebody else")
        generation = int(event_id.rpartition("_")[2])
        seen = sent["type"], sent["data"].get("task_id", sent["data"].get("batch_id")), sent["data"]["generation"]
        if seen != (final.kind, final.subject_id, generation):
            findings.changed.append(f"{what} is {final.kind}, and says {seen}")
        if self._bodies.setdefault(event_id, body) != body:
            findings.changed.append(f"{what} comes with another body than before")
        self._posts[event_id] += 1
        if self._posts[event_id] > self.steps.claims[event_id]:
            findings.needless.append(f"{what} is sent more often than attempts were begun")
        self.signatures.check(receiver.tenant, headers, body)

    def record(self, event_id: str) -> Delivery | None:
        """Return the record of an event as it is now."""
        subject = event_id.removeprefix("evt_").rpartition("_")[0]
        item = self.world.webhooks.now_of((f"subject#{subject}", f"event#{event_id}"))
        return None if item is None else read_delivery(item)

    def next_look(self) -> float:
        """Return when the sweep has something to look at."""
        looks = [float(item["look_at"]["N"]) for item in self.world.webhooks.items("subject#") if "due_shard" in item]
        start = self.world.scheduler.true_time() - timedelta(seconds=self.world.scheduler.now)
        moments = [look - start.timestamp() for look in looks]
        # What is long overdue will never be done, and what is far away never come.
        return min((each for each in moments if abs(each - self.world.scheduler.now) < _FAR), default=float("inf"))

    def close(self) -> None:
        """Look at every event after all has settled."""
        findings = self.world.witness.findings
        for event_id, final in self.finals.items():
            delivery = self.record(event_id)
            if delivery is None:
                findings.lost.append(f"{event_id[-8:]}, {final.kind}, has no record")
            else:
                self._close(event_id, delivery, self.world.receivers.at(final.url))
        bodies = {letter.body for letter in self.world.queues.webhook_letters()}
        findings.lost += [f"poison {body!r} is no letter" for body in sorted(self.poison - bodies)]
        findings.needless += [f"{body[:200]} is a letter" for body in sorted(bodies - self.poison)]

    def _close(self, event_id: str, delivery: Delivery, receiver: Receiver) -> None:
        findings, state, what = self.world.witness.findings, delivery.state.value, event_id[-8:]
        series = [each for each in delivery.attempts if each.series == delivery.series]
        has_cause = {
            "pending": False,
            "delivered": event_id in receiver.acknowledged,
            "failed": len(series) == _MOST_ATTEMPTS and all(each.ended_at for each in series),
            "stopped": event_id in receiver.gone,
            "refused": receiver.kind == "leads inside",
            "disabled": event_id in self.steps.disabled_events,
        }[state]
        if state == "pending":
            findings.stuck.append(f"{what} is pending at {receiver.kind} after {delivery.tried}, nothing will end it")
        elif not has_cause:
            findings.needless.append(f"{what} is {state} at one that {receiver.kind}, after {len(series)} attempts")
        replayed_at = self.replayed_at.get(receiver.tenant, 0.0)
        is_well = receiver.kind == WORKS or (receiver.kind in FAILING and receiver.until < replayed_at)
        if is_well and event_id not in receiver.taken:
            findings.lost.append(f"{what} never came to one that {receiver.kind}")
        is_replayed = bool({event_id, receiver.tenant} & self.replays)
        if self.world.is_calm and receiver.kind == WORKS and not is_replayed and receiver.posts.get(event_id) != 1:
            findings.needless.append(f"{what} came {receiver.posts.get(event_id)} times in calm weather")

    def now(self) -> datetime:
        """Return the true time."""
        return self.world.scheduler.true_time().astimezone(UTC)
