"""A receiver that fails, hangs and drops, and verifies everything with the package that receivers use."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from standardwebhooks import Webhook, WebhookVerificationError

from tests.conformance.receiver import Receiver, Reply, Request

FIRST_REPLIES = (
    Reply(500),
    Reply(way="hang", most_seconds=30),
    Reply(way="drop"),
    Reply(503, headers=(("Retry-After", "6"),)),
    Reply(204),
)
"""What the first attempt of an event meets, each for a fifth of them; later attempts meet 204."""


class BadReceiver(Receiver):
    """Answers the first attempt of most events badly, and keeps what it acknowledged."""

    def __init__(self, secrets: Sequence[str]) -> None:
        super().__init__()
        self.acknowledged: Counter[str] = Counter()
        self.attempts: Counter[str] = Counter()
        self.bodies: dict[str, bytes] = {}
        self.not_genuine: list[str] = []
        self.changed_but_genuine = 0
        self._keys = [Webhook(secret) for secret in secrets]
        self._counting = threading.Lock()

    def take(self, request: Request) -> Reply:
        """Verify a request, and one that differs by a byte, and choose the answer."""
        event_id = request.header("webhook-id")
        problem = self._problem(request, request.body)
        with self._counting:
            number = self.attempts[event_id]
            self.attempts[event_id] += 1
            if problem is not None:
                self.not_genuine.append(f"{event_id}: {problem}")
                return Reply(401)
            place = number % len(request.body)
            changed = request.body[:place] + bytes([request.body[place] ^ 1]) + request.body[place + 1 :]
            self.changed_but_genuine += self._problem(request, changed) is None
            if self.bodies.setdefault(event_id, request.body) != request.body:
                self.not_genuine.append(f"{event_id}: another body in attempt {number + 1}")
            reply = FIRST_REPLIES[int(event_id[-6:-2], 16) % len(FIRST_REPLIES)] if number == 0 else Reply(204)
            if reply.status == 204 and reply.way == "answer":
                self.acknowledged[event_id] += 1
            return reply

    def _problem(self, request: Request, body: bytes) -> str | None:
        """Return why none of the secrets verifies a request."""
        problem = "no secret"
        for key in self._keys:
            try:
                key.verify(body, dict(request.headers), json_parse=False)
            except (WebhookVerificationError, UnicodeDecodeError) as error:
                problem = str(error)
            else:
                return None
        return problem

    def wait_for(self, event_ids: set[str], seconds: float) -> Iterator[set[str]]:
        """Yield, every second, the events that are not acknowledged yet, until there are none."""
        give_up = time.monotonic() + seconds
        while (missing := event_ids - set(self.acknowledged)) and time.monotonic() < give_up:
            yield missing
            time.sleep(1)


@contextmanager
def bad_receiver(secrets: Sequence[str]) -> Iterator[BadReceiver]:
    """Run it while the block runs."""
    made = BadReceiver(secrets)
    try:
        yield made
    finally:
        made.close()
