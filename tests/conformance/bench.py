"""Where a rule is tested: a sender, the receiver, and what came of a job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.conformance.job import Job, Sender
from tests.conformance.receiver import Receiver, Reply, Request
from tests.conformance.signatures import new_secret


class RuleBroken(AssertionError):
    """The sender does not keep a rule; the text says what came instead."""


def demand(holds: object, otherwise: str) -> None:
    """Raise RuleBroken if something does not hold."""
    if not holds:
        raise RuleBroken(otherwise)


@dataclass(frozen=True, slots=True)
class Delivered:
    """What came of a job: requests in the order in which they came, and the secrets that sign."""

    requests: Sequence[Request]
    secrets: Sequence[str]

    @property
    def first(self) -> Request:
        """The first request."""
        return self.requests[0]

    def retry(self) -> Request:
        """Return the second attempt."""
        demand(len(self.requests) > 1, "it is not tried again")
        return self.requests[1]


@dataclass(frozen=True, slots=True)
class Bench:
    """A sender and the receiver that it delivers to.

    `timeout_seconds` is how long the sender lets one attempt take.
    """

    sender: Sender
    receiver: Receiver
    timeout_seconds: float

    @property
    def longest_seconds(self) -> float:
        """How long an attempt may take, on a machine that is busy."""
        return 1.5 * self.timeout_seconds + 2.0

    def deliver(
        self, *replies: Reply, events: Sequence[str] = ("task.succeeded",), secrets: int = 1, attempts: int = 2
    ) -> Delivered:
        """Have events delivered to an address that gives these replies in turn, then 204."""
        site = self.receiver.site(*replies)
        made = tuple(new_secret() for _ in range(secrets))
        own = self.sender(Job(site.url, made, tuple(events), attempts, self.timeout_seconds))
        demand(site.requests, "nothing is delivered")
        for request in site.requests:
            # A sender that has hung up is noticed a moment later.
            request.over.wait(self.longest_seconds + 2)
        return Delivered(tuple(site.requests), own or made)
