"""How an endpoint answers: one that has failed for five days is disabled, and its tenant can enable it again."""

from __future__ import annotations

from datetime import datetime, timedelta

from matchcast.domain.webhook import Endpoint, Event
from matchcast.webhooks.ports import EndpointStore

DISABLED_AFTER = timedelta(days=5)


class EndpointHealth:
    """Notes failures and successes of callback addresses."""

    def __init__(self, endpoints: EndpointStore) -> None:
        self._endpoints = endpoints

    def of(self, event: Event) -> Endpoint | None:
        """Return what is known of an event's address; None: it has not failed lately."""
        return self._endpoints.get(event.tenant, event.url)

    def note(self, event: Event, known: Endpoint | None, now: datetime, *, works: bool) -> None:
        """Note how an attempt went; `known` is what was known before it."""
        if not works:
            endpoint = self._endpoints.failed(event.tenant, event.url, now)
            if endpoint.failing_since is not None and now - endpoint.failing_since >= DISABLED_AFTER:
                self._endpoints.disable(endpoint, now)
        elif known is not None:
            self._endpoints.works(event.tenant, event.url)
