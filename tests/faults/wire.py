"""The wire below the SDK: its requests end here, at the simulated services, behind everything that can go wrong.

The SDK is the real one, with its serialisers, parsers and retries; only its HTTP session is another one, its waits
are in virtual time, and requests are not signed.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import orjson
from botocore import UNSIGNED
from botocore.exceptions import ConnectionClosedError, ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError

from matchcast.bootstrap import parts
from tests.faults import responses
from tests.faults.calls import CONNECT_SECONDS, OBJECT_SECONDS, READ_SECONDS, Calls, Unanswered
from tests.faults.dynamodb import WEBHOOKS_TABLE, Tables
from tests.faults.keys import Keys
from tests.faults.s3 import S3, Reply, asked_of, refusal
from tests.faults.scheduler import Environment, Scheduler
from tests.faults.sqs import Queues
from tests.faults.transactions import ServiceError

if TYPE_CHECKING:
    from botocore.awsrequest import AWSResponse

_PREFIXES = {"DynamoDB_20120810": "table", "AmazonSQS": "queue", "TrentService": "key"}
Invoke = Callable[[str, bytes, float], tuple[bytes, str | None]]
"""Runs a function with a payload, waiting some seconds at most; returns its answer, and which error it ended with."""


class Wire:
    """Answers requests of the SDK."""

    now: Wire
    """The wire of the schedule that runs; a process runs one at a time, and keeps its SDK clients."""

    def __init__(
        self,
        scheduler: Scheduler,
        rng: random.Random,
        calls: Calls,
        *,
        tables: Tables,
        queues: Queues,
        s3: S3,
        keys: Keys,
        invoke: Invoke,
    ) -> None:
        self._scheduler = scheduler
        self._rng = rng
        self._calls = calls
        self._services: dict[str, Callable[[str, Any], Any]] = {
            "table": tables.handle,
            "queue": queues.handle,
            "bucket": s3.handle,
            "key": keys.handle,
        }
        self._invoke = invoke
        self.on_object: Callable[[str, Environment], None] = lambda _key, _environment: None
        """Is told which object, or that there is none, reached which process."""
        Wire.now = self

    def answer(self, request: Any) -> AWSResponse:
        """Return the answer to an HTTP request, or raise as an HTTP client does."""
        target = request.headers.get("X-Amz-Target")
        if target is None:
            answer_it = self._answer_invocation if "/functions/" in request.url else self._answer_bucket
            return answer_it(request)
        prefix, operation = (target.decode() if isinstance(target, bytes) else target).split(".")
        what = _PREFIXES[prefix]
        try:
            # Else what is kept would be what the caller still holds.
            content = orjson.loads(request.body)
            name = operation if self._calls.trace is None else f"{operation} {_named(content)}"
            where = WEBHOOKS_TABLE if content.get("TableName") == WEBHOOKS_TABLE else what
            answer = self._calls(where, name, lambda: self._answered(what, operation, content))
        except Unanswered as fault:
            return self._unanswered(request, what, fault)
        if isinstance(answer, ServiceError):
            return responses.error(request, answer.code, answer.message, answer.status, **answer.details)
        return responses.response(request, 200, orjson.dumps(answer))

    def _answered(self, what: str, operation: str, content: Any) -> dict[str, Any] | ServiceError:
        try:
            found: dict[str, Any] = self._services[what](operation, content)
        except ServiceError as refused:
            return refused
        return found

    def _unanswered(self, request: Any, what: str, fault: Unanswered) -> AWSResponse:
        """Fail as a network or the service does: in several ways, some of them slow."""
        way = self._rng.random()
        if way < 0.3:
            return responses.error(request, "InternalServerError" if what == "table" else "InternalError", "", 500)
        if fault.is_done:
            if way < 0.6:
                raise ConnectionClosedError(endpoint_url=request.url)
            self._scheduler.pause(READ_SECONDS)
            raise ReadTimeoutError(endpoint_url=request.url)
        if way < 0.6:
            code = "ProvisionedThroughputExceededException" if what == "table" else "RequestThrottled"
            return responses.error(request, code, "", 400)
        if way < 0.8:
            raise EndpointConnectionError(endpoint_url=request.url)
        self._scheduler.pause(CONNECT_SECONDS)
        raise ConnectTimeoutError(endpoint_url=request.url)

    def _answer_bucket(self, request: Any) -> AWSResponse:
        operation, content = asked_of(request)
        heard: list[Reply] = []

        def act() -> str:
            answer: Any = self._answered("bucket", operation, content)
            if isinstance(answer, ServiceError):
                answer = refusal(answer.code, answer.message, answer.status)
            heard.append(answer)
            return str(answer.status)

        name = f"{operation} {content.get('prefix', content['Key'])[-40:]}"
        try:
            self._calls("bucket", name, act)
        except Unanswered as fault:
            return self._without_object(request, operation, heard[0] if fault.is_done else None)
        environment = self._scheduler.me().environment
        if operation == "GetObject" and heard[0].status in (200, 304, 404) and environment is not None:
            self.on_object(content["Key"], environment)
        return responses.response(request, heard[0].status, heard[0].body, heard[0].headers)

    def _without_object(self, request: Any, operation: str, lost: Reply | None) -> AWSResponse:
        """Fail as a network or S3 does; an object that is lost on its way may have begun to come."""
        way = self._rng.random()
        if lost is not None and operation == "GetObject" and lost.status in (200, 206) and way < 0.6:
            raw = responses.Broken(lost.body, int(way * 20) % 4, self._hang)
            return responses.answer(request, lost.status, raw, lost.headers)
        if way < 0.8:
            refusals = [refusal("InternalError", "We encountered an internal error.", 500)]
            if lost is None:
                refusals += [refusal("SlowDown", "Please reduce your request rate.", 503)] * 2
                refusals.append(refusal("AccessDenied", "Access Denied", 403))
            reply = self._rng.choice(refusals)
            if reply.status == 403:
                self._calls.denied_at = self._scheduler.now
            return responses.response(request, reply.status, reply.body, reply.headers)
        if way < 0.9:
            raise ConnectionClosedError(endpoint_url=request.url)
        if lost is None:
            self._scheduler.pause(CONNECT_SECONDS)
            raise ConnectTimeoutError(endpoint_url=request.url)
        self._scheduler.pause(OBJECT_SECONDS)
        raise ReadTimeoutError(endpoint_url=request.url)

    def _hang(self) -> None:
        self._scheduler.pause(OBJECT_SECONDS)

    def _answer_invocation(self, request: Any) -> AWSResponse:
        function, payload = request.url.split("/functions/")[1].split("/")[0], bytes(request.body)
        try:
            answer, error = self._calls(
                "inference", f"invoke {function}", lambda: self._invoke(function, payload, 30.0)
            )
        except Unanswered as fault:
            if fault.is_done:
                raise ConnectionClosedError(endpoint_url=request.url) from fault
            return responses.error(request, "TooManyRequestsException", "", 429)
        except TimeoutError as late:
            raise ReadTimeoutError(endpoint_url=request.url) from late
        headers = {} if error is None else {"X-Amz-Function-Error": error}
        return responses.response(request, 200, answer, headers)


class Session:
    """An HTTP session as botocore has them."""

    def send(self, request: Any) -> AWSResponse:
        """Send a request."""
        return Wire.now.answer(request)

    def close(self) -> None:
        """Close nothing."""


_real_client = parts.client


def client(service: str, **config: Any) -> Any:
    """Return the client that the product makes, on the simulated wire; every process of a schedule shares it."""
    return _client(service, json.dumps(config, sort_keys=True))


@cache
def _client(service: str, config: str) -> Any:
    # What takes time and changes nothing is left out: signatures, checks of parameters, endpoints, who the user is.
    cheap: dict[str, Any] = {"signature_version": UNSIGNED, "parameter_validation": False, "user_agent": "simulated"}
    made = _real_client(service, **{**json.loads(config), **cheap})
    made._endpoint.http_session, made._ruleset_resolver = Session(), None
    return made


def _named(content: Any) -> str:
    """Return what a request is about, for the trace."""
    for name in ("Key", "Item"):
        if name in content:
            item = content.get("ExpressionAttributeValues", content.get("Item", {}))
            state = item.get(":status", item.get("status", {})).get("S", "")
            return f"{content[name]['pk']['S'][-12:]} {state}"
    if "RequestItems" in content:
        keys = [key["pk"]["S"][-12:] for each in content["RequestItems"].values() for key in each["Keys"]]
        return " ".join(sorted(keys))  # they come out of a set
    if "TransactItems" in content:
        return " and ".join(_named(each["Update"]) for each in content["TransactItems"])
    if "QueueUrl" in content:
        shown = content.get("MessageBody") or content.get("ReceiptHandle") or ""
        where = shown.find('"task_id":"')
        shown = shown[where + 35 : where + 47] if where >= 0 else shown[:30]
        delay = f" in {content['DelaySeconds']} s" if content.get("DelaySeconds") else ""
        return f"{content['QueueUrl'].rsplit('/', 1)[-1]} {shown}{delay}"
    return str(content.get("ExpressionAttributeValues", ""))
