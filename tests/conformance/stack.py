"""Our sender on a running laptop stack that admits loopback: tasks and batches that are submitted with a callback.

Its time for an attempt is 20 s, and it waits as long as the schedule says; `make prove-callbacks` does that.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from matchcast_tools.stack.api_client import ApiClient
from matchcast_tools.stack.webhooks import WebhookClient
from tests.conformance.job import Job

PATIENCE_SECONDS = 180


class StackSender:
    """Has a stack deliver; it makes two secrets of its own, which sign everything."""

    def __init__(self, api: ApiClient) -> None:
        self._api, self._webhooks = api, WebhookClient(api)
        self._secrets = tuple(str(self._webhooks.create_secret()["secret"]) for _ in range(2))
        self._match = api.get("/predict/predictions/", limit=1).expect(200)["items"][0]["match_id"]

    def __call__(self, job: Job) -> Sequence[str]:
        """Submit what ends in the events of a job; return when nobody waits for more of it."""
        subjects = [self._submitted(name, job.url) for name in job.events]
        give_up = time.monotonic() + PATIENCE_SECONDS
        while not all(self._is_over(subject, job.attempts) for subject in subjects):
            if time.monotonic() > give_up:
                raise RuntimeError(f"{job.events} are not delivered after {PATIENCE_SECONDS} s")
            time.sleep(0.25)
        return self._secrets

    def _submitted(self, name: str, url: str) -> str:
        body: dict[str, Any] = {"callback_url": url}
        if name.startswith("batch."):
            submitted = self._api.post("/predict/batch/", {**body, "match_ids": [self._match]}).expect(202)
            return str(submitted["batch_id"])
        return str(self._api.post("/predict/async/", {**body, "match_id": self._match}).expect(202)["task_id"])

    def _is_over(self, subject_id: str, attempts: int) -> bool:
        for delivery in self._webhooks.deliveries(subject_id):
            ended = [attempt for attempt in delivery["attempts"] if attempt["duration_ms"] is not None]
            return delivery["state"] != "pending" or len(ended) >= attempts
        return False
