"""A function answers whatever it is invoked with; nothing in an event makes it fail."""

from __future__ import annotations

import time
from typing import Any

import pytest

from matchcast.http.api import serve
from matchcast.http.events import complete
from tests.support.example_api import make_api
from tests.support.http_events import Context, answer, http_event

BROKEN: list[Any] = [
    {},
    [],
    None,
    "text",
    {"requestContext": None},
    {"requestContext": {"http": None}},
    {"requestContext": {"http": {"method": 5, "path": None}, "stage": None, "timeEpoch": "soon"}},
    {"headers": ["a"], "queryStringParameters": "x=1", "rawQueryString": None, "body": 5, "cookies": "a=b"},
    {"headers": {"host": None, "if-modified-since": 5}, "cookies": ["=;=", 7], "isBase64Encoded": "yes"},
]


@pytest.mark.parametrize("event", BROKEN)
def test_an_event_without_its_parts_is_answered_and_no_crash(event: Any) -> None:
    assert answer(serve(make_api(), event, Context())).status in (404, 405)


@pytest.mark.parametrize(
    "part", ["headers", "queryStringParameters", "rawQueryString", "cookies", "body", "isBase64Encoded", "version"]
)
def test_each_part_may_be_missing(part: str) -> None:
    event = http_event("GET", "/things")
    event.pop(part, None)

    assert answer(serve(make_api(), event, Context())).status == 200


@pytest.mark.parametrize("epoch", [None, "soon", -1, 0, 10**30, 1.5, True])
def test_a_time_that_is_none_is_now(epoch: Any) -> None:
    before = int(time.time() * 1000)

    assert complete({"requestContext": {"timeEpoch": epoch}})["requestContext"]["timeEpoch"] >= before


def test_lone_surrogates_of_path_query_and_headers_become_text() -> None:
    # GIVEN
    event = http_event("GET", "/things/\ud800", query={"limit": "1"}, headers={"X-Wait": "\udfff"})
    event["queryStringParameters"]["\ud800"] = "\ud800"

    # WHEN
    found = complete(event)
    answered = answer(serve(make_api(), event, Context()))

    # THEN
    assert (found["rawPath"], found["headers"]["x-wait"], found["queryStringParameters"]["?"]) == (
        "/things/?",
        "?",
        "?",
    )
    assert answered.status == 422


def test_a_head_is_answered_like_a_get_without_the_body() -> None:
    # WHEN
    head, get = (answer(serve(make_api(), http_event(method, "/things"), Context())) for method in ("HEAD", "GET"))
    refused = answer(serve(make_api(), http_event("HEAD", "/things", query={"limit": "0"}), Context()))

    # THEN
    assert (head.status, head.headers) == (get.status, get.headers)
    assert (head.body, head.raw["isBase64Encoded"]) == (b"", False)
    assert (refused.status, refused.body) == (422, b"")
