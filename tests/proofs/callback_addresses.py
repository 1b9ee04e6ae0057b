"""Addresses that point inside: refused when they are submitted, and again at the socket."""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from matchcast.adapters.https_poster import HttpsPoster, verifying
from matchcast.errors import AddressRefused, MatchcastError
from matchcast.webhooks.addresses import is_public
from tests.proofs.bench import Bench
from tests.proofs.claims import Claims
from tests.support.callback_addresses import INSIDE_V4, INSIDE_V6, REFUSED

PUBLIC = "93.184.216.34"
NAME = "https://receiver.example.com/hook"
INSIDE = (*INSIDE_V4, *INSIDE_V6)
ADDRESSES = tuple(
    each
    for each in dict.fromkeys(
        [*REFUSED, *(f"https://{one}/" for one in INSIDE_V4), *(f"https://[{one}]/" for one in INSIDE_V6)]
    )
    # Half of a character is in no text of JSON: such a body is refused as a whole.
    if each.encode(errors="ignore").decode() == each
)


class Connections:
    """Which IP addresses sockets were told to connect to; none of them leaves this machine."""

    def __init__(self) -> None:
        self.inside: list[str] = []
        self.public: list[str] = []
        self._watching = False
        # It stays until the process ends, as no hook can be taken away.
        sys.addaudithook(self._hook)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Watch while the block runs; a connection is noted and stopped."""
        self._watching = True
        try:
            yield
        finally:
            self._watching = False

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._watching or event != "socket.connect":
            return
        host = str(arguments[1][0])
        (self.public if is_public(host) else self.inside).append(host)
        raise ConnectionRefusedError("this proof connects to nothing")


class Resolver:
    """Gives the answers of a name in turn, the last one for ever."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)

    def __call__(self, host: str, port: int, **_: Any) -> list[Any]:
        """Answer as `socket.getaddrinfo` does."""
        answer = self._answers[0] if len(self._answers) == 1 else self._answers.pop(0)
        family = {4: socket.AF_INET, 6: socket.AF_INET6}
        return [(family[ipaddress.ip_address(each).version], 1, 6, "", (each, port)) for each in answer]


def refused_at_submission(work: Bench, claims: Claims) -> None:
    """Every address is a 422 that names its field, for tasks and for batches."""
    claims.say(f"submitting a task and a batch with each of {len(ADDRESSES)} addresses that may not be called")
    work.api.post("/webhooks/secrets", {}).expect(201)
    match = work.matches[0]

    def submit(url: str) -> bool:
        task = work.api.post("/predict/async/", {"match_id": match, "callback_url": url})
        batch = work.api.post("/predict/batch/", {"match_ids": [match], "callback_url": url})
        return all(
            answer.status == 422 and [each.get("pointer") for each in answer.json["errors"]] == ["/callback_url"]
            for answer in (task, batch)
        )

    refused = work.at_once(submit, ADDRESSES, threads=8)
    claims.hold(
        "each of them is refused with 422 and its field",
        holds=all(refused) and len(ADDRESSES) >= 80,
        inside_addresses=len(ADDRESSES),
        inside_refused=sum(refused),
    )


def refused_at_the_socket(claims: Claims) -> None:
    """The poster connects to none of them, nor to a name that leads to one, at first or later."""
    claims.say(
        f"posting to them, and to names that lead to each of {len(INSIDE)} addresses, with every connection seen"
    )
    connections, context = Connections(), verifying()
    with connections.watched():
        of_addresses = [_refuses(HttpsPoster(context=context), url) for url in ADDRESSES]
        of_names = [
            _refuses(HttpsPoster(context=context, resolve=Resolver(answer)), NAME)
            for each in INSIDE
            for answer in ([each], [PUBLIC, each], [each, PUBLIC])
        ]
        before = len(connections.public)
        # A name that is public when it is asked for first, and leads inside from then on.
        turning = [HttpsPoster(context=context, resolve=Resolver([PUBLIC], [each])) for each in INSIDE]
        first = [_refuses(poster, NAME) for poster in turning]
        later = [_refuses(poster, NAME) for poster in turning for _ in range(2)]
    claims.hold(
        "no connection to any of them is begun, and a name that turns inwards is called at its public address alone",
        holds=all(of_addresses)
        and all(of_names)
        and not any(first)
        and all(later)
        and not connections.inside
        and before == 0
        and connections.public == [PUBLIC] * len(INSIDE),
        posted_inside=len(of_addresses) + len(of_names) + len(later),
        connected_inside=len(connections.inside),
        names_that_turn_inwards=len(turning),
    )


def _refuses(poster: HttpsPoster, url: str) -> bool:
    """Return whether a post is refused for its address, and not because nobody answers."""
    try:
        poster.post(url, {}, b"{}", 5)
    except AddressRefused:
        return True
    except MatchcastError:
        return False
    return False
