"""The simulated services asked directly, with no wire in between, next to moto."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError
from moto import mock_aws

from tests.faults.calls import Calls
from tests.faults.dynamodb import Table
from tests.faults.queues import url
from tests.faults.responses import error, response
from tests.faults.s3 import S3, asked_of, refusal
from tests.faults.scheduler import Scheduler
from tests.faults.sqs import Queues
from tests.faults.transactions import ServiceError
from tests.faults.weather import Weather
from tests.support.template import deploy_storage

if TYPE_CHECKING:
    from botocore.awsrequest import AWSResponse

Ask = Callable[..., Any]


class Direct:
    """An HTTP session that ends at the simulated services, with nothing in between."""

    def __init__(self) -> None:
        rng = random.Random(1)
        self.scheduler = Scheduler(rng)
        calls = Calls(self.scheduler, rng, Weather(lag=0.0))
        tasks, webhooks = (Table(self.scheduler, rng, calls, name) for name in ("TasksTable", "WebhooksTable"))
        self.services = {
            "DynamoDB_20120810": lambda operation, content: (
                webhooks if "Webhooks" in str(content.get("TableName")) else tasks
            ).handle(operation, content),
            "AmazonSQS": Queues(self.scheduler, rng, calls, most_receives=20).handle,
        }
        self.s3 = S3(self.scheduler)

    def send(self, request: Any) -> AWSResponse:
        if "X-Amz-Target" not in request.headers:
            return self._send_to_s3(request)
        service, operation = str(request.headers["X-Amz-Target"], "ascii").split(".")
        try:
            return response(
                request, 200, json.dumps(self.services[service](operation, json.loads(request.body))).encode()
            )
        except ServiceError as refused:
            return error(request, refused.code, refused.message, refused.status, **refused.details)

    def _send_to_s3(self, request: Any) -> AWSResponse:
        try:
            reply = self.s3.handle(*asked_of(request))
        except ServiceError as refused:
            reply = refusal(refused.code, refused.message, refused.status)
        return response(request, reply.status, reply.body, reply.headers)


def both(service: str, script: Callable[[Ask, dict[str, str]], list[Any]]) -> tuple[list[Any], list[Any]]:
    """Return what a script hears from moto, and from the simulated service."""
    with mock_aws():
        names = deploy_storage(boto3.session.Session())
        real = script(asking(boto3.client(service)), names)  # type: ignore[call-overload]
    client: Any = boto3.client(service)  # type: ignore[call-overload]
    client._endpoint.http_session = Direct()
    urls = {f"{lane}QueueUrl": url(lane.lower()) for lane in ("High", "Normal")}
    return real, script(asking(client), {**names, **urls})


def asking(client: Any) -> Ask:
    """Return what makes a request, and returns its answer or the code of its error."""

    def ask(operation: str, **request: Any) -> Any:
        try:
            answer = getattr(client, operation)(**request)
        except ClientError as error:
            return error.response["Error"]["Code"].rsplit(".", 1)[-1]
        answer.pop("ResponseMetadata")
        for unasked in ("ConsumedCapacity", "ItemCollectionMetrics"):  # moto sends them
            answer.pop(unasked, None)
        if request.get("ReturnValues") == "UPDATED_NEW":
            answer["Attributes"] = answer["Attributes"]["attempts"]  # moto shows others too
        return {name: value for name, value in answer.items() if name != "Failed" or value}  # moto: an empty list

    return ask
