"""Rules for what a sender makes of answers, and of none."""

from __future__ import annotations

from tests.conformance.bench import Bench, demand
from tests.conformance.receiver import FLOOD_BYTES, Reply

LEFT_BYTES = FLOOD_BYTES // 2
"""What the buffers of both sides may have taken of an answer that is not read."""


def a_2xx_ends_it(bench: Bench) -> None:
    """Every status from 200 to 299 says that the receiver has it."""
    for status in (200, 201, 202, 204, 299):
        sent = len(bench.deliver(Reply(status)).requests)
        demand(sent == 1, f"after a {status} it is sent again")


def a_410_ends_it(bench: Bench) -> None:
    """Who answers 410 wants no more of it."""
    sent = len(bench.deliver(Reply(410)).requests)
    demand(sent == 1, "after a 410 it is sent again")


def other_answers_are_retried(bench: Bench) -> None:
    """Every other answer is a failure that may pass."""
    for status in (400, 404, 429, 500, 502, 503):
        sent = len(bench.deliver(Reply(status)).requests)
        demand(sent == 2, f"after a {status} it is sent {sent} times in all; send it again until the 2xx")


def no_answer_is_retried(bench: Bench) -> None:
    """A connection that breaks, or a receiver that hangs, says nothing of what the receiver has."""
    for reply in (Reply(way="drop"), Reply(way="hang", most_seconds=bench.longest_seconds)):
        sent = len(bench.deliver(reply).requests)
        demand(sent == 2, f"after a connection without an answer ({reply.way}) it is sent {sent} times in all")


def redirects_are_not_followed(bench: Bench) -> None:
    """A redirect could lead inside; it is a failure, tried again at the same address."""
    for status in (301, 302, 307, 308):
        elsewhere = bench.receiver.site()
        delivered = bench.deliver(Reply(status, headers=(("Location", elsewhere.url),)))
        demand(not elsewhere.requests, f"a {status} is followed")
        demand(len(delivered.requests) == 2, f"a {status} does not count as a failure; try again at the same address")


def retry_after_is_heeded(bench: Bench) -> None:
    """A receiver that says when to come again is not asked before."""
    seconds = 7
    delivered = bench.deliver(Reply(503, headers=(("Retry-After", str(seconds)),)))
    times = [float(request.header("webhook-timestamp")) for request in delivered.requests]
    if len(set(times)) < 2:  # that it comes again, and with another timestamp, are rules of their own
        return
    waited = max(times[1] - times[0], delivered.requests[1].arrived - delivered.first.arrived)
    demand(waited >= seconds - 1, f"it comes again {waited:.0f} s after a Retry-After of {seconds} s")


def long_answers_are_cut(bench: Bench) -> None:
    """Nobody fills a sender's memory: what the status says is enough."""
    delivered = bench.deliver(Reply(way="flood"))
    demand(delivered.first.sent_bytes < LEFT_BYTES, f"{delivered.first.sent_bytes} bytes of an answer are taken")


def a_silent_receiver_is_left(bench: Bench) -> None:
    """A receiver that does not answer has its time, and no more."""
    stayed = _stayed(bench, Reply(way="hang", most_seconds=bench.longest_seconds + 0.5))
    limit = bench.timeout_seconds
    demand(stayed >= 0.7 * limit, f"the sender waits for {stayed:.1f} s only; {limit:g} s is its time")


def a_slow_receiver_is_left(bench: Bench) -> None:
    """The time is that of the whole attempt: a byte now and then does not stretch it."""
    _stayed(bench, Reply(way="drip", most_seconds=bench.longest_seconds + 0.5))


def _stayed(bench: Bench, reply: Reply) -> float:
    """Return how long the sender stayed; it must not be longer than its time."""
    stayed = bench.deliver(reply).first.stayed_seconds
    limit = bench.timeout_seconds
    demand(stayed <= bench.longest_seconds, f"the sender still waits after {stayed:.1f} s; {limit:g} s is its time")
    return stayed
