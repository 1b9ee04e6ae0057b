"""The time and the length of an answer grow no faster than the part of the request that is made longer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from matchcast.domain.batch import MOST_IDS_BYTES
from tests.fuzz.cases import HEADERS, PUMPS, ROUTES, TEXTS, Case, context
from tests.fuzz.routes import Route
from tests.fuzz.runs import LONGEST_ANSWER, SLOWEST_SECONDS, SUCCESS_MAY_BE_LONG, ask
from tests.fuzz.world import TASK_IDS, World, running
from tests.support.http_events import Answer

BATCHES = "/predict/batch/"
SHORT, LONG = 4_000, 32_000
# Eight times as long may take eight times as long, and the noise of a busy machine on top.
GROWTH = 20
NOISE_SECONDS = 0.01


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with running() as world:
        yield world


def case_of(route: Route, *, path: str | None = None, body: str | None = None, **parts: Any) -> Case:
    where = path or route.path
    event: dict[str, Any] = {"rawPath": where, "requestContext": context(route.method, where), "body": body, **parts}
    return Case(route.handler, event)


def seconds(world: World, case: Case) -> float:
    """Return the least time of some attempts, so that only what the code does is counted."""
    best = SLOWEST_SECONDS * 10
    for _ in range(3):
        found, taken = ask(world, case)
        assert isinstance(found, Answer), found
        assert found.status < 500
        assert len(found.body) < LONGEST_ANSWER or case.event["rawPath"] in SUCCESS_MAY_BE_LONG
        best = min(best, taken)
        if best < NOISE_SECONDS:
            break
    return best


def assert_grows_linearly(world: World, short: Case, long: Case) -> None:
    taken = seconds(world, long)
    assert taken < SLOWEST_SECONDS
    assert taken < NOISE_SECONDS or taken < GROWTH * seconds(world, short)


@pytest.mark.parametrize("name", HEADERS)
def test_no_header_is_slow_to_read(world: World, name: str) -> None:
    routes = [route for route in ROUTES if route.path in {"/predict/cards/", "/predict/", "/openapi.json"}]
    for route in routes:
        body = json.dumps(route.bodies[0]) if route.bodies else None
        for pump in PUMPS:
            short, long = (
                case_of(route, body=body, headers={name: HEADERS[name][0] + pump * (length // len(pump)) + '"'})
                for length in (SHORT, LONG)
            )
            assert_grows_linearly(world, short, long)


@pytest.mark.parametrize("pump", PUMPS)
def test_no_path_and_no_query_is_slow_to_read(world: World, pump: str) -> None:
    for route in (route for route in ROUTES if route.query or TASK_IDS[0] in route.path):
        short, long = (pump * (length // len(pump)) for length in (SHORT, LONG))
        assert_grows_linearly(world, *(case_of(route, path=f"/predict/{text}") for text in (short, long)))
        assert_grows_linearly(world, *(case_of(route, path=route.path + text) for text in (short, long)))
        for name in route.query:
            queries: Iterator[dict[str, Any]] = (
                {"queryStringParameters": {name: text}, "rawQueryString": ""} for text in (short, long)
            )
            assert_grows_linearly(world, *(case_of(route, **query) for query in queries))


@pytest.mark.parametrize("route", [route for route in ROUTES if route.bodies], ids=lambda route: route.path)
@pytest.mark.parametrize("kind", ["names", "unknown", "nested", "text", "garbage", "numbers"])
def test_no_body_is_slow_to_read(world: World, route: Route, kind: str) -> None:
    # WHEN
    def made(length: int) -> str:
        many = length // 12
        content: dict[str, Any] = {
            "names": {"features": {f"f{n:07}": n for n in range(many)}},
            "unknown": {f"f{n:07}": n for n in range(many)},
            "nested": {"features": {"a": [[n] for n in range(many)]}},
            "text": {"match_id": "x" * length},
            "numbers": {"features": {"elo_difference": int("9" * min(length, 4_000))}},
        }
        return "".join(TEXTS) * (length // 8_000) if kind == "garbage" else json.dumps(content[kind])

    # THEN
    assert_grows_linearly(world, case_of(route, body=made(16_000)), case_of(route, body=made(128_000)))


@pytest.mark.parametrize("size", [1_000_000, 6_000_000])
def test_a_body_beyond_the_limit_is_refused_at_once(world: World, size: int) -> None:
    for route in (route for route in ROUTES if route.bodies and (route.path != BATCHES or size > MOST_IDS_BYTES)):
        found, taken = ask(world, case_of(route, body=json.dumps({"features": {"x" * size: 1}})))

        assert isinstance(found, Answer)
        assert (found.status, len(found.body) < 1_000) == (413, True)
        assert taken < SLOWEST_SECONDS
