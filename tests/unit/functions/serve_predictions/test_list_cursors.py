"""Cursors lead through a whole list, and only through the list, filters and tenant that they were given for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.http_events import OTHER_TENANT, Answer
from tests.support.served_paths import LISTS, problem
from tests.support.serving import Service
from tests.support.snapshots import put_snapshot

Get = Callable[..., Answer]


@pytest.mark.parametrize("name", LISTS)
def test_following_the_cursors_gives_the_whole_list_once(service: Service, get: Get, name: str) -> None:
    # GIVEN
    whole = get(f"/predict/{name}/").json["items"]
    found: list[Any] = []
    query: dict[str, Any] = {"limit": 2}
    # WHEN
    while True:
        page = get(f"/predict/{name}/", query=query).json
        found += page["items"]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    # THEN
    assert found == whole


def cursor_of(get: Get, name: str = "predictions", **query: Any) -> str:
    cursor: str = get(f"/predict/{name}/", query={"limit": 1, **query}).json["next_cursor"]
    assert cursor
    return cursor


def test_a_changed_cursor_is_not_found(service: Service, get: Get) -> None:
    cursor = cursor_of(get)
    for changed in (cursor[:-1], "A" + cursor[1:], cursor + "A", cursor[:20]):
        problem(get("/predict/predictions/", query={"cursor": changed}), 404, "cursor-not-found")


def test_a_cursor_of_another_tenant_is_not_found(service: Service, get: Get) -> None:
    query = {"cursor": cursor_of(get)}
    assert get("/predict/predictions/", query=query).status == 200
    problem(get("/predict/predictions/", query=query, tenant=OTHER_TENANT), 404, "cursor-not-found")


def test_a_cursor_of_another_list_or_other_filters_is_not_found(service: Service, get: Get) -> None:
    cursor = cursor_of(get, region="england")
    assert get("/predict/predictions/", query={"cursor": cursor, "region": "england"}).status == 200
    problem(get("/predict/cards/", query={"cursor": cursor, "region": "england"}), 404, "cursor-not-found")
    problem(get("/predict/predictions/", query={"cursor": cursor, "region": "spain"}), 404, "cursor-not-found")
    problem(get("/predict/predictions/", query={"cursor": cursor}), 404, "cursor-not-found")


def test_a_cursor_goes_on_with_another_limit_and_in_a_newer_snapshot(service: Service, get: Get) -> None:
    whole = get("/predict/predictions/").json["items"]
    cursor = cursor_of(get)
    put_snapshot(service.objects, snapshot_id="20260302T000000Z-ffffffff")
    service.later()
    page = get("/predict/predictions/", query={"cursor": cursor, "limit": 3}).json
    assert (page["snapshot_id"], page["items"]) == ("20260302T000000Z-ffffffff", whole[1:4])
