"""A path without a snapshot, of another method or of no function says what is wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from functions.serve_predictions.handler import lambda_handler
from matchcast.domain.manifests import SNAPSHOT_MANIFEST_KEY
from tests.support.documented import ask
from tests.support.http_events import Answer
from tests.support.served_paths import PAGES, problem
from tests.support.serving import Service

Get = Callable[..., Answer]


@pytest.mark.parametrize("path", PAGES)
def test_without_a_snapshot_every_list_is_a_503_that_says_when_to_come_back(
    empty: Service, get: Get, path: str
) -> None:
    # GIVEN a manifest of which nothing can be read
    empty.objects.put(SNAPSHOT_MANIFEST_KEY, b"{")
    # WHEN
    found = get(path)
    # THEN
    problem(found, 503, "snapshot-unavailable")
    assert found.headers["retry-after"] == "5"
    assert b"snapshots/" not in found.body


@pytest.mark.parametrize("path", PAGES)
def test_where_nothing_was_published_every_list_says_so_and_who_can_change_it(
    empty: Service, get: Get, path: str
) -> None:
    detail = problem(get(path), 503, "snapshot-not-published")["detail"]
    assert "has been published on this stack yet" in detail
    assert "`matchcast publish`" in detail


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("POST", "/predict/predictions", "GET, HEAD"),
        ("DELETE", "/predict/async/", "GET, HEAD, POST"),
        ("PUT", "/predict/e0-2026-03-07-alder-birch", "GET, HEAD"),
        ("GET", "/predict/", "POST"),
        ("OPTIONS", "/predict/cards/", "GET, HEAD"),
        ("POST", "/health", "GET, HEAD"),
    ],
)
def test_a_path_of_any_function_under_another_method_is_a_405(
    service: Service, method: str, path: str, allow: str
) -> None:
    found = ask(lambda_handler, method, path)
    problem(found, 405, "method-not-allowed")
    assert found.headers["allow"] == allow


@pytest.mark.parametrize("path", [*PAGES, "/health", "/openapi.json", "/docs"])
def test_a_head_says_what_a_get_says_without_the_body(service: Service, get: Get, path: str) -> None:
    found, head = get(path), ask(lambda_handler, "HEAD", path)

    assert (head.status, head.headers, head.body) == (found.status, found.headers, b"")
    held = ask(lambda_handler, "HEAD", path, headers={"If-None-Match": found.headers.get("etag", "")})
    assert held.status == (304 if "etag" in found.headers else 200)


def test_a_head_where_there_is_no_get_is_a_405(service: Service) -> None:
    found = ask(lambda_handler, "HEAD", "/predict/")

    assert (found.status, found.headers["allow"], found.body) == (405, "POST", b"")


@pytest.mark.parametrize("path", ["/predict/a/b/c", "/nothing", "/predict/precomputed/x/y"])
def test_an_unknown_path_is_a_404(service: Service, get: Get, path: str) -> None:
    assert get(path).status == 404
