"""Routes of manage_webhooks."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.event_handler import Response

from functions.manage_webhooks.schemas import ReplayRequest, SecretRequest
from matchcast.bootstrap import http, parts, webhooks
from matchcast.errors import (
    BatchGone,
    BatchNotFound,
    Conflict,
    EndpointNotFound,
    QueueUnavailable,
    SecretNotFound,
    StorageUnavailable,
    TaskGone,
    TaskNotFound,
    TooManySecrets,
)
from matchcast.http.api import Api, serve
from matchcast.http.contract import READ, WRITE, answers
from matchcast.http.webhook_envelope import (
    DeliveryList,
    EndpointEnvelope,
    EndpointList,
    NewSecret,
    Replay,
    SecretEnvelope,
    SecretList,
    delivery_list,
    endpoint_envelope,
    secret_envelope,
)

api = Api(http.settings)
OF_A_TASK = (TaskNotFound, TaskGone, StorageUnavailable)
OF_A_BATCH = (BatchNotFound, BatchGone, StorageUnavailable)
# There is no place where a replay could be asked for, as that of a task or batch: the deliveries show it.
REPLAYING: dict[int, Any] = {
    202: {"description": "Accepted.", "content": {"application/json": {"model": Replay}}},
    **answers(TaskNotFound, TaskGone, BatchNotFound, BatchGone, Conflict, QueueUnavailable, StorageUnavailable),
}


@api.get("/predict/async/<task_id>/deliveries", security=READ, responses=answers(200, *OF_A_TASK))
def task_deliveries(task_id: str) -> DeliveryList:
    """Return the events of a task, with every attempt to deliver them.

    There are none without a callback, or before the task has ended.
    """
    return delivery_list(webhooks.track_deliveries().of_task(api.tenant, task_id))


@api.get("/predict/batch/<batch_id>/deliveries", security=READ, responses=answers(200, *OF_A_BATCH))
def batch_deliveries(batch_id: str) -> DeliveryList:
    """Return the events of a batch, with every attempt to deliver them.

    There is one for each time that the batch ended: a retry of its failed rows makes a new one.
    """
    return delivery_list(webhooks.track_deliveries().of_batch(api.tenant, batch_id))


@api.get("/webhooks/secrets", security=READ, responses=answers(200, StorageUnavailable))
def list_secrets() -> SecretList:
    """Return the tenant's signing secrets, oldest first.

    Their values are shown once, when they are made.
    """
    return SecretList(secrets=[secret_envelope(each) for each in webhooks.manage_secrets().list(api.tenant)])


@api.post(
    "/webhooks/secrets", security=WRITE, responses=answers(201, TooManySecrets, StorageUnavailable, model=NewSecret)
)
def make_secret(body: SecretRequest) -> Response[NewSecret]:
    """Make a signing secret; this answer alone shows its value.

    Every callback is signed with each secret that has not ended. So a receiver changes from one to the next without a
    gap: make one, have the receiver take both, end the old one.
    """
    record, value = webhooks.manage_secrets().create(api.tenant, body.retire_others_in)
    made = NewSecret(**secret_envelope(record).model_dump(), secret=value)
    return Response(201, body=made, headers={"Cache-Control": "no-store"})


@api.delete("/webhooks/secrets/<secret_id>", security=WRITE, responses=answers(200, SecretNotFound, StorageUnavailable))
def end_secret(secret_id: str) -> SecretEnvelope:
    """End a signing secret now; ending it again changes nothing.

    Attempts that have begun may still be signed with it. Without another secret callbacks fail, and are tried again.
    """
    return secret_envelope(webhooks.manage_secrets().end(api.tenant, secret_id))


@api.post("/webhooks/replay", security=WRITE, responses=REPLAYING)
def replay_events(body: ReplayRequest) -> Response[Replay]:
    """Deliver the last event of a task or batch, or every event of a range of time, once more under the same ids.

    Each begins the schedule of attempts again. What has no callback, or has not ended, is a 409.
    """
    use_case = webhooks.replay_events()
    if body.since is not None:
        use_case.replay_range(api.tenant, body.since, body.until)
        return Response(202, body=Replay(events=None))
    events = use_case.replay_subject(api.tenant, task_id=body.task_id, batch_id=body.batch_id)
    return Response(202, body=Replay(events=events))


@api.get("/webhooks/endpoints", security=READ, responses=answers(200, StorageUnavailable))
def list_endpoints() -> EndpointList:
    """Return the tenant's callback addresses that fail or are disabled.

    An address that has failed for five days is disabled: nothing is sent there until it is enabled again.
    """
    found = webhooks.track_deliveries().endpoints(api.tenant)
    return EndpointList(endpoints=[endpoint_envelope(each) for each in found])


@api.post(
    "/webhooks/endpoints/<endpoint_id>/enable",
    security=WRITE,
    responses=answers(200, EndpointNotFound, StorageUnavailable),
)
def enable_endpoint(endpoint_id: str) -> EndpointEnvelope:
    """Send events to a callback address again, and forget its failures.

    Events that were not sent meanwhile can be replayed.
    """
    return endpoint_envelope(webhooks.track_deliveries().enable(api.tenant, endpoint_id))


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one HTTP request."""
    return serve(api, event, context)


parts.make_at_init(webhooks.manage_secrets, webhooks.track_deliveries, webhooks.replay_events, http.settings)
