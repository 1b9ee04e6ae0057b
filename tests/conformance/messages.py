"""Rules for what is sent: headers, ids, times, signatures."""

from __future__ import annotations

import base64
import json
import re
from contextlib import suppress

from tests.conformance.bench import Bench, RuleBroken, demand
from tests.conformance.receiver import Reply, Request
from tests.conformance.signatures import SIGNATURE, verifies

TOLERANCE_SECONDS = 300
"""How far receivers let the time of an attempt be from theirs."""
FAILS = Reply(500)
_TYPE = re.compile(r"\w+(\.\w+)*", re.ASCII)
_CREDENTIALS = ("authorization", "cookie", "proxy-authorization", "x-api-key", "x-amz-security-token")


def one_post_of_json(bench: Bench) -> None:
    """An event is a POST of a JSON object, and says so."""
    request = bench.deliver().first
    demand(request.method == "POST", f"it is sent by {request.method}; send it by POST")
    kind = request.header("content-type").partition(";")[0].strip().lower()
    demand(kind == "application/json", f"the content type is {kind!r}; it has to be application/json")
    _content(request)


def three_headers(bench: Bench) -> None:
    """Id, timestamp and signatures come once each; an id has no full stop, so that nothing moves into the timestamp."""
    request = bench.deliver().first
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        demand(len(request.all(name)) == 1, f"{name} comes {len(request.all(name))} times; send it once")
    event_id, timestamp = request.header("webhook-id"), request.header("webhook-timestamp")
    demand(re.fullmatch(r"[!-~]+", event_id) and "." not in event_id, f"{event_id!r} is no id without a full stop")
    demand(re.fullmatch(r"[1-9][0-9]*", timestamp), f"{timestamp!r} is no whole number of seconds")
    for each in request.header("webhook-signature").split(" "):
        demand(not each.startswith("v1,") or SIGNATURE.fullmatch(each), f"{each!r} is not v1, and base64 of 32 bytes")
    demand("v1," in request.header("webhook-signature"), "there is no signature of version v1")


def a_type_and_a_time(bench: Bench) -> None:
    """The body says what happened, when, and to what."""
    content = _content(bench.deliver().first)
    for name in ("type", "timestamp", "data"):
        demand(name in content, f"the body has no {name}")
    demand(_TYPE.fullmatch(str(content["type"])), f"{content['type']!r} is no type such as task.succeeded")


def an_id_for_each_event(bench: Bench) -> None:
    """Two events have two ids."""
    delivered = bench.deliver(events=("task.succeeded", "batch.completed"))
    ids = [request.header("webhook-id") for request in delivered.requests]
    demand(len(ids) == 2, f"two events are {len(ids)} requests")
    demand(len(set(ids)) == 2, f"two events have the same id {ids[0]}")


def one_id_in_all_attempts(bench: Bench) -> None:
    """A receiver knows an event that it has seen by its id."""
    delivered = bench.deliver(FAILS)
    first, second = delivered.first.header("webhook-id"), delivered.retry().header("webhook-id")
    demand(first == second, f"the second attempt has the id {second}, the first one {first}")


def one_body_in_all_attempts(bench: Bench) -> None:
    """What is sent again is what was sent."""
    delivered = bench.deliver(FAILS)
    demand(delivered.retry().body == delivered.first.body, "the second attempt has another body")


def the_time_of_the_attempt(bench: Bench) -> None:
    """The timestamp is that of the attempt, so that receivers can refuse what was recorded and sent again."""
    request = bench.deliver().first
    apart = abs(_time(request) - request.arrived)
    demand(apart <= TOLERANCE_SECONDS, f"the timestamp is {apart:.0f} s away from the clock")


def a_new_time_for_each_attempt(bench: Bench) -> None:
    """A retry of tomorrow would be too old with the timestamp of today."""
    delivered = bench.deliver(FAILS)
    demand(_time(delivered.retry()) > _time(delivered.first), "the second attempt has the timestamp of the first one")


def signed_as_it_is_sent(bench: Bench) -> None:
    """The signature is the HMAC of id, timestamp and the very bytes of the body, with the decoded secret."""
    delivered = bench.deliver()
    demand(any(verifies(delivered.first, secret) for secret in delivered.secrets), "no signature verifies")


def signed_anew_for_each_attempt(bench: Bench) -> None:
    """The signature of each attempt is that of its own timestamp."""
    delivered = bench.deliver(FAILS)
    first, second = delivered.first, delivered.retry()
    verified = [any(verifies(request, secret) for secret in delivered.secrets) for request in (first, second)]
    demand(verified[1] or not verified[0], "the first attempt verifies, and the second one does not")


def signed_with_each_secret(bench: Bench) -> None:
    """While a secret is replaced, receivers may still have the old one, or already the new one."""
    delivered = bench.deliver(secrets=2)
    signatures = [each for each in delivered.first.header("webhook-signature").split(" ") if each.startswith("v1,")]
    demand(len(set(signatures)) >= len(delivered.secrets) >= 2, f"two secrets make {len(set(signatures))} signature(s)")
    verified = [verifies(delivered.first, secret) for secret in delivered.secrets]
    demand(all(verified) or not any(verified), "only one of two secrets verifies")


def nothing_secret_is_sent(bench: Bench) -> None:
    """A receiver learns nothing of the sender: no credentials, and never the secret."""
    delivered = bench.deliver()
    sent = [name.lower() for name, _ in delivered.first.headers if name.lower() in _CREDENTIALS]
    demand(not sent, f"it sends {', '.join(sent)}")
    everything = repr(delivered.first.headers) + delivered.first.body.decode(errors="replace")
    for secret in delivered.secrets:
        bare = secret.removeprefix("whsec_")
        hexadecimal = base64.b64decode(bare).hex()
        demand(bare not in everything and hexadecimal not in everything.lower(), "the secret is in the request")


def _content(request: Request) -> dict[str, object]:
    content = None
    with suppress(ValueError):
        content = json.loads(request.body)
    if not isinstance(content, dict):
        raise RuleBroken("the body is no JSON object")
    return content


def _time(request: Request) -> float:
    text = request.header("webhook-timestamp")
    demand(re.fullmatch(r"[0-9]+", text), f"{text!r} is no timestamp")
    return float(text)
