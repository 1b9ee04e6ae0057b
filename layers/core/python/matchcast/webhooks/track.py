"""What a tenant sees of its callbacks: the deliveries of a task or batch, and the endpoints that fail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from matchcast.batches.ports import BatchStore
from matchcast.batches.track import find_batch
from matchcast.domain.webhook import Delivery, Endpoint
from matchcast.echo import cut
from matchcast.errors import EndpointNotFound
from matchcast.ports import TaskStore
from matchcast.tasks.track import find_task
from matchcast.webhooks.ports import DeliveryStore, EndpointStore


class TrackDeliveries:
    """Reads deliveries and endpoints, and enables endpoints, for the tenant that owns them."""

    def __init__(
        self,
        deliveries: DeliveryStore,
        endpoints: EndpointStore,
        tasks: TaskStore,
        batches: BatchStore,
        now: Callable[[], datetime],
    ) -> None:
        self._deliveries = deliveries
        self._endpoints = endpoints
        self._tasks = tasks
        self._batches = batches
        self._now = now

    def of_task(self, tenant: str, task_id: str) -> Sequence[Delivery]:
        """Return the deliveries of a task, one for each generation that ended, or raise what `find_task` raises."""
        return self._of(tenant, find_task(self._tasks, tenant, task_id, self._now()).task_id)

    def of_batch(self, tenant: str, batch_id: str) -> Sequence[Delivery]:
        """Return the deliveries of a batch, one for each generation that ended, or raise what `find_batch` raises."""
        return self._of(tenant, find_batch(self._batches, tenant, batch_id, self._now()).batch_id)

    def endpoints(self, tenant: str) -> Sequence[Endpoint]:
        """Return the callback addresses of a tenant that fail or are disabled."""
        return self._endpoints.list(tenant)

    def enable(self, tenant: str, endpoint_id: str) -> Endpoint:
        """Forget the failures of an endpoint, so that events are sent to it again, and return it.

        Events that found it disabled are not sent by this; a replay does that.

        Raises
        ------
        EndpointNotFound
            If the tenant has no failing endpoint with this id.
        """
        endpoint = self._endpoints.find(tenant, endpoint_id)
        if endpoint is None:
            raise EndpointNotFound(f"There is no failing endpoint {cut(endpoint_id)}.")
        self._endpoints.works(tenant, endpoint.url)
        return endpoint.model_copy(update={"failing_since": None, "disabled_at": None})

    def _of(self, tenant: str, subject_id: str) -> Sequence[Delivery]:
        return [each for each in self._deliveries.of_subject(subject_id) if each.event.tenant == tenant]
