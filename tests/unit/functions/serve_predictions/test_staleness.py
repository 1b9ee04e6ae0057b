"""Answers out of an old snapshot say so, and clients that hold one from before learn it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.http_events import Answer
from tests.support.serving import Service
from tests.support.snapshots import put_snapshot

Get = Callable[..., Answer]
MATCH = "/predict/precomputed/e0-2026-03-07-alder-birch"
PAGES = ["/predict/predictions/", "/predict/cards/", "/predict/odds/", "/predict/region-roi/"]
BODIES = [*PAGES, "/predict/model/scorecard"]
every_answer = pytest.mark.parametrize("path", [*BODIES, MATCH])


def grow_old(service: Service) -> None:
    """Let the snapshot, which is five minutes old, pass the limit of a day."""
    service.later(86_400 - 300 + 1)


@every_answer
def test_an_answer_says_whether_its_snapshot_is_older_than_it_should_be(service: Service, get: Get, path: str) -> None:
    assert get(path).headers["snapshot-stale"] == "?0"
    grow_old(service)
    found = get(path)
    assert (found.status, found.headers["snapshot-stale"]) == (200, "?1")


@pytest.mark.parametrize("path", BODIES)
def test_a_body_says_it_too(service: Service, get: Get, path: str) -> None:
    assert get(path).json["stale"] is False
    grow_old(service)
    assert get(path).json["stale"] is True


@every_answer
def test_a_304_says_it_as_a_200_does(service: Service, get: Get, path: str) -> None:
    for old in (False, True):
        if old:
            grow_old(service)
        tag = get(path).headers["etag"]
        again = get(path, headers={"If-None-Match": tag})
        assert (again.status, again.headers["snapshot-stale"]) == (304, "?1" if old else "?0")


@every_answer
@pytest.mark.parametrize(
    ("condition", "validator"), [("If-None-Match", "etag"), ("If-Modified-Since", "last-modified")]
)
def test_a_client_learns_that_what_it_holds_has_grown_old(
    service: Service, get: Get, path: str, condition: str, validator: str
) -> None:
    # GIVEN an answer from when the snapshot was young
    young = get(path)
    # WHEN the client that holds it asks again
    grow_old(service)
    found = get(path, headers={condition: young.headers[validator]})
    # THEN it gets the answer as it is now, and that one may be held again
    assert (found.status, found.headers["snapshot-stale"]) == (200, "?1")
    assert get(path, headers={condition: found.headers[validator]}).status == 304


@every_answer
def test_a_new_snapshot_ends_it(service: Service, get: Get, path: str) -> None:
    grow_old(service)
    old = get(path)
    put_snapshot(service.objects, snapshot_id="20260302T000000Z-ffffffff", created_at=service.now)
    service.later()
    found = get(path, headers={"If-None-Match": old.headers["etag"]})
    assert (found.status, found.headers["snapshot-stale"]) == (200, "?0")


def test_health_and_answers_agree_at_the_limit(service: Service, get: Get) -> None:
    service.later(86_400 - 300)
    assert (get("/health").json["snapshot"]["stale"], get(MATCH).headers["snapshot-stale"]) == (False, "?0")
    service.later(1)
    assert (get("/health").json["snapshot"]["stale"], get(MATCH).headers["snapshot-stale"]) == (True, "?1")


def test_no_limit_is_too_far_away(service: Service, get: Get) -> None:
    service.restart(snapshot_stale_seconds=1e15)
    grow_old(service)
    assert get(MATCH).headers["snapshot-stale"] == "?0"
