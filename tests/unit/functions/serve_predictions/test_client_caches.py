"""What a client holds is confirmed by a 304 for as long as it is current, and its entity tags are its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.http_events import OTHER_TENANT, Answer
from tests.support.served_paths import PAGES, problem
from tests.support.serving import Service
from tests.support.snapshots import put_snapshot

Get = Callable[..., Answer]


@pytest.mark.parametrize("path", PAGES)
def test_an_answer_that_the_client_holds_is_a_304_without_a_body(service: Service, get: Get, path: str) -> None:
    first = get(path)
    again = get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", first.headers["etag"])
    since = get(path, headers={"If-Modified-Since": first.headers["last-modified"]})
    assert since.status == 304


def test_a_304_becomes_a_200_with_the_next_snapshot(service: Service, get: Get) -> None:
    tag = get("/predict/cards/").headers["etag"]
    put_snapshot(service.objects, snapshot_id="20260302T000000Z-ffffffff")
    service.later()
    assert get("/predict/cards/", headers={"If-None-Match": tag}).status == 200


def test_an_answer_may_be_kept_by_its_client_for_as_long_as_the_manifest_is_trusted(service: Service, get: Get) -> None:
    assert get("/predict/cards/").headers["cache-control"] == "private, max-age=30"


def test_tenants_do_not_share_entity_tags_because_their_cursors_differ(service: Service, get: Get) -> None:
    mine, other = get("/predict/cards/"), get("/predict/cards/", tenant=OTHER_TENANT)
    assert mine.headers["etag"] != other.headers["etag"]
    assert mine.json["items"] == other.json["items"]


def test_pages_of_another_size_or_place_have_tags_of_their_own(service: Service, get: Get) -> None:
    # GIVEN pages of two sizes, and the page after one of them
    small, large = (get("/predict/predictions/", query={"limit": limit}) for limit in (1, 2))
    following = {"limit": 1, "cursor": small.json["next_cursor"]}
    second = get("/predict/predictions/", query=following)

    # WHEN a client that holds the first page asks for the others
    held = {"If-None-Match": small.headers["etag"]}
    answers = [get("/predict/predictions/", query=query, headers=held) for query in ({"limit": 2}, following)]

    # THEN it gets them
    assert [answer.status for answer in answers] == [200, 200]
    assert [answer.body for answer in answers] == [large.body, second.body]
    assert len({each.headers["etag"] for each in (small, large, second)}) == 3


@pytest.mark.parametrize("path", PAGES)
def test_a_wrong_cursor_or_match_is_an_error_whatever_the_client_holds(service: Service, get: Get, path: str) -> None:
    everything = {"If-None-Match": "*"}
    assert get(path, headers=everything).status == 304
    problem(get("/predict/precomputed/no-such-match", headers=everything), 404, "match-not-found")
    problem(get("/predict/cards/", query={"cursor": "AAAA"}, headers=everything), 404, "cursor-not-found")


def test_a_compressed_page_is_the_same_page(service: Service, get: Get) -> None:
    plain, small = get("/predict/cards/"), get("/predict/cards/", headers={"Accept-Encoding": "gzip, br"})
    assert small.headers["content-encoding"] == "gzip"
    assert small.raw["isBase64Encoded"] is True
    assert small.body == plain.body
    assert small.headers["etag"] != plain.headers["etag"]
