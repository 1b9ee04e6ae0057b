"""Callbacks over the HTTP API: secrets, endpoints, deliveries, replays."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from matchcast_tools.stack.api_client import ApiClient, in_path

NOT_FOUND = 404
Shown = dict[str, Any]


class WebhookClient:
    """Calls the routes of callbacks."""

    def __init__(self, api: ApiClient) -> None:
        self._api = api

    def create_secret(self, retire_others_in: int | None = None) -> Shown:
        """Make a secret; the answer alone has its value. The others end after some seconds, if any are given."""
        body = {} if retire_others_in is None else {"retire_others_in": retire_others_in}
        made: Shown = self._api.post("/webhooks/secrets", body).expect(201)
        return made

    def secrets(self) -> list[Shown]:
        """Return the tenant's secrets, without their values."""
        found: list[Shown] = self._api.get("/webhooks/secrets").expect(200)["secrets"]
        return found

    def end_secret(self, secret_id: str) -> Shown:
        """End a secret now."""
        ended: Shown = self._api.request("DELETE", f"/webhooks/secrets/{in_path(secret_id)}").expect(200)
        return ended

    def endpoints(self) -> list[Shown]:
        """Return the addresses that fail or are disabled."""
        found: list[Shown] = self._api.get("/webhooks/endpoints").expect(200)["endpoints"]
        return found

    def enable(self, endpoint_id: str) -> Shown:
        """Have events sent to an address again."""
        path = f"/webhooks/endpoints/{in_path(endpoint_id)}/enable"
        enabled: Shown = self._api.request("POST", path).expect(200)
        return enabled

    def deliveries(self, subject_id: str) -> list[Shown]:
        """Return the deliveries of a task or batch.

        Raises
        ------
        RequestFailed
            With 404 if there is neither a task nor a batch with this id.
        """
        found = self._api.get(f"/predict/async/{in_path(subject_id)}/deliveries")
        if found.status == NOT_FOUND:
            found = self._api.get(f"/predict/batch/{in_path(subject_id)}/deliveries")
        deliveries: list[Shown] = found.expect(200)["deliveries"]
        return deliveries

    def replay(self, subject_id: str) -> Shown:
        """Have the last event of a task or batch delivered again."""
        answer = self._api.post("/webhooks/replay", {"task_id": subject_id})
        if answer.status == NOT_FOUND:
            answer = self._api.post("/webhooks/replay", {"batch_id": subject_id})
        begun: Shown = answer.expect(202)
        return begun

    def replay_range(self, since: datetime, until: datetime | None = None) -> Shown:
        """Have the events of a range of time delivered again."""
        ends = {} if until is None else {"until": until.isoformat()}
        begun: Shown = self._api.post("/webhooks/replay", {"since": since.isoformat(), **ends}).expect(202)
        return begun


def live(secrets: Sequence[Shown], now: datetime) -> list[Shown]:
    """Return the secrets that sign."""
    return [each for each in secrets if each["ends_at"] is None or datetime.fromisoformat(each["ends_at"]) > now]
