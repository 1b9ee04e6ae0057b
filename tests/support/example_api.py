"""A small HTTP API with routes of every kind, how to call it, and what each of its problems has to hold."""

from __future__ import annotations

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Header, Query
from pydantic import BaseModel, Field, model_validator

from matchcast.errors import DeadlineExceeded, MatchNotFound, StorageUnavailable, WaitOver
from matchcast.http.api import Api, serve
from matchcast.http.bodies import RequestBody
from matchcast.observability import MetricUnit, metrics
from tests.support.http_events import REQUEST_ID, Answer, ask


class Thing(BaseModel):
    name: str
    size: int = 1


class Order(RequestBody):
    match_id: str
    features: dict[str, float] = Field(default_factory=dict)
    size: int = Field(default=1, le=5)

    @model_validator(mode="after")
    def not_both(self) -> Order:
        if self.features and self.size == 2:
            raise ValueError("send either features or size 2")
        return self


def refused() -> StorageUnavailable:
    error = StorageUnavailable("The tasks table secret-table refused the call (ValidationException).")
    error.is_defect = True
    return error


FAILURES = {
    "match": MatchNotFound("No match of the snapshot has the id x."),
    "bucket": StorageUnavailable("The data bucket secret-bucket did not answer."),
    "refused": refused(),
    "wait": WaitOver("The prediction did not finish within the wait."),
    "late": DeadlineExceeded("The prediction did not finish within 28 seconds."),
    "unexpected": RuntimeError("secret reason in /var/task/secret.py"),
}


def make_api(**options: Any) -> Api:
    api = Api(**options)

    @api.get("/things/")
    def things(
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        wait: Annotated[int | None, Header(alias="X-Wait")] = None,
    ) -> dict[str, Any]:
        return {"limit": limit, "wait": wait}

    @api.get("/things/fixed")
    def fixed() -> Thing:
        return Thing(name="fixed")

    @api.get("/things/<name>")
    def thing(name: str) -> Thing:
        return Thing(name=name)

    @api.post("/things/")
    def order(body: Order) -> Response[Thing]:
        return Response(202, body=Thing(name=body.match_id, size=body.size), headers={"Location": "/there"})

    @api.get("/who")
    def who() -> dict[str, str]:
        return {"tenant": api.tenant}

    @api.get("/fails/<kind>")
    def fails(kind: str) -> Thing:
        metrics.add_metric("failures", MetricUnit.Count, 1)
        if kind == "answer":
            return {"size": "large"}  # type: ignore[return-value]
        raise FAILURES[kind]

    return api


def call(method: str, path: str, *, api: Api | None = None, **request: Any) -> Answer:
    made = api or make_api()
    return ask(lambda event, context: serve(made, event, context), method, path, **request)


def assert_is_problem(answer: Answer, status: int, code: str) -> dict[str, Any]:
    problem: dict[str, Any] = answer.json
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["type"] == f"urn:matchcast:problem:{code}"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"] == REQUEST_ID
    return problem
