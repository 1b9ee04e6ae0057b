"""Receivers of callbacks behind a simulated poster: good ones, and ones that fail, hang, refuse, lie and are down."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from matchcast.errors import AddressRefused, DeliveryFailed, MatchcastError
from matchcast.webhooks.ports import Answer
from tests.faults.calls import Unanswered

if TYPE_CHECKING:
    from tests.faults.world import World

DAY = 86_400.0
WORKS = "works"
FAILING = ("fails", "hangs", "shuts", "takes and fails")
"""Kinds that work in the end; the last ones lose their answers until then."""
_STATUSES = (500, 503, 429, 404, 301)


@dataclass
class Receiver:
    """Who listens at an address: of some kind until a time, then one that works."""

    url: str
    tenant: str
    kind: str
    until: float
    posts: dict[str, int] = field(default_factory=dict)
    """How many requests with each event came in."""
    taken: set[str] = field(default_factory=set)
    """The events that it has."""
    acknowledged: set[str] = field(default_factory=set)
    """The events that it has answered with a 2xx."""
    gone: set[str] = field(default_factory=set)
    """The events that it has answered with 410."""


class Receivers:
    """The `Poster` of a schedule."""

    def __init__(self, world: World) -> None:
        self.all: dict[str, Receiver] = {}
        self.on_post: Callable[[Receiver, Mapping[str, str], bytes], None] = lambda *_: None
        """Is told of every request that comes in."""
        self._world = world

    def draw(self, rng: random.Random, tenant: str, name: str) -> Receiver:
        """Add a receiver of some kind."""
        url = f"https://{name}.example.com/matchcast?of={tenant}"
        kind = rng.choice(self._world.plot.receivers)
        until = rng.choice(self._world.plot.receivers_down) * rng.uniform(0.5, 1.0)
        self.all[url] = Receiver(url, tenant, kind, until)
        return self.all[url]

    def at(self, url: str) -> Receiver:
        """Return who listens at an address; poison names one that belongs to nobody."""
        return self.all.setdefault(url, Receiver(url, "nobody", "is unknown", 0.0))

    def post(self, url: str, headers: Mapping[str, str], body: bytes, seconds: float) -> Answer:
        """Return the answer of a receiver, or raise as a poster does."""
        world, receiver = self._world, self.at(url)
        try:
            name = f"POST {headers['webhook-id'][-8:]} {receiver.kind}"
            found = world.calls("receiver", name, lambda: self._come(receiver, headers, body))
        except Unanswered as fault:
            if fault.is_done:
                world.scheduler.pause(seconds)
            cause = "timeout" if fault.is_done else "connection"
            raise DeliveryFailed("There is no answer.", cause) from fault
        if isinstance(found, DeliveryFailed) and found.cause == "timeout":
            world.scheduler.pause(seconds)
        if isinstance(found, MatchcastError):
            raise found
        return found

    def _come(self, receiver: Receiver, headers: Mapping[str, str], body: bytes) -> Answer | MatchcastError:
        event_id, is_down = headers["webhook-id"], self._world.scheduler.now < receiver.until
        if receiver.kind == "leads inside":
            return AddressRefused("Its name leads inside.")
        if is_down and receiver.kind == "shuts":
            return DeliveryFailed("Nobody listens.", "connection")
        receiver.posts[event_id] = receiver.posts.get(event_id, 0) + 1
        self.on_post(receiver, headers, body)
        if receiver.kind == "is gone":
            receiver.gone.add(event_id)
            return Answer(410)
        if not is_down or receiver.kind not in FAILING:
            receiver.taken.add(event_id)
            receiver.acknowledged.add(event_id)
            return Answer(self._world.rng.choice((200, 204)))
        return self._fail(receiver, event_id)

    def _fail(self, receiver: Receiver, event_id: str) -> Answer | MatchcastError:
        """Answer as a receiver that is down."""
        rng = self._world.rng
        if receiver.kind == "hangs":
            return DeliveryFailed("It does not answer.", "timeout")
        if receiver.kind == "fails":
            return Answer(rng.choice(_STATUSES), rng.choice((None, None, 1.0, 400.0)))
        receiver.taken.add(event_id)
        return DeliveryFailed("Its answer broke off.", "protocol")
