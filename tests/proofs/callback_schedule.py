"""The schedule in simulated time, with real requests to a receiver that is down for a while, or for ever."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from matchcast.adapters.https_poster import HttpsPoster
from matchcast.domain.webhook import SCHEDULE_SECONDS, DeliveryState
from matchcast.webhooks.ports import Answer
from tests.conformance.receiver import Reply, Site, receiver
from tests.proofs.claims import Claims
from tests.support.tasks import NOW
from tests.support.webhooks import World, an_event

EVENTS = 50
DOWN = 5
ATTEMPTS = 10


def schedule(claims: Claims) -> None:
    """Hold the times of the attempts against those of Standard Webhooks."""
    claims.say(f"in simulated time: {EVENTS} events to a receiver that is down for its first {DOWN} attempts")
    with receiver() as receives:
        world = _Timed()
        sites = [receives.site(*[Reply(503)] * DOWN) for _ in range(EVENTS)]
        world.submit(*(an_event(callback_url=site.url) for site in sites))
        world.run()
        acknowledged = [[each.header("webhook-id") for each in site.requests[DOWN:]] for site in sites]
        claims.hold(
            "each arrives once, in its sixth attempt, all attempts under one id",
            holds=all(len(ids) == 1 for ids in acknowledged) and all(len(_ids(site)) == 1 for site in sites),
            events_to_a_receiver_that_was_down=EVENTS,
            arrived_once=sum(len(ids) == 1 for ids in acknowledged),
        )
        claims.say("an event to a receiver that answers 500 for ever")
        world = _Timed()
        site = receives.site(*[Reply(500)] * 100)
        event = an_event(callback_url=site.url)
        world.submit(event)
        world.run()
        times = [(at - NOW).total_seconds() for at in world.times]
        gaps = [later - before for before, later in zip([0.0, *times], times, strict=False)]
        delivery = world.delivery(event)
    claims.hold(
        "it ends after the tenth attempt, at the times of Standard Webhooks, and is listed as failed",
        holds=gaps == list(SCHEDULE_SECONDS)
        and len(site.requests) == len(delivery.attempts) == ATTEMPTS
        and delivery.state is DeliveryState.FAILED,
        attempts_max=len(site.requests),
        schedule_seconds=round(times[-1]),
        state_in_the_end=delivery.state.value,
    )


def _ids(site: Site) -> set[str]:
    return {request.header("webhook-id") for request in site.requests}


class _Timed(World):
    """Simulated time, real requests; notes when each of them is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[datetime] = []
        self.poster = self
        self._real = HttpsPoster(loopback=True)

    def post(self, url: str, headers: Mapping[str, str], body: bytes, seconds: float) -> Answer:
        """Send a request."""
        self.times.append(self.clock)
        return self._real.post(url, headers, body, seconds)
