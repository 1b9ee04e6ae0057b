"""Answers of serve_predictions against the OpenAPI document."""

from __future__ import annotations

from typing import Any

import pytest

from functions.serve_predictions.handler import lambda_handler
from tests.support.documented import ask
from tests.support.serving import Service
from tests.support.snapshots import put_snapshot


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    return Service(monkeypatch)


MATCH = "e0-2026-03-07-alder-birch"


REQUESTS: list[tuple[str, dict[str, Any], int]] = [
    ("/predict/predictions/", {}, 200),
    ("/predict/predictions/", {"headers": {"if-none-match": "*"}}, 304),
    ("/predict/predictions/", {"query": {"limit": 0}}, 422),
    ("/predict/predictions/", {"query": {"cursor": "AAAA"}}, 404),
    ("/predict/predictions/", {"tenant": None}, 403),
    ("/predict/cards/", {"query": {"limit": 2}}, 200),
    ("/predict/odds/", {}, 200),
    ("/predict/region-roi/", {}, 200),
    ("/predict/model/scorecard", {}, 200),
    ("/predict/model/scorecard", {"headers": {"if-none-match": "*"}}, 304),
    (f"/predict/precomputed/{MATCH}", {}, 200),
    ("/predict/precomputed/nobody", {}, 404),
    ("/predict/nobody/knows", {}, 404),
    ("/health", {}, 200),
    ("/docs", {}, 200),
    ("/openapi.json", {}, 200),
]


@pytest.mark.parametrize(("path", "request_", "status"), REQUESTS)
def test_real_answers_are_as_the_document_says(
    service: Service, path: str, request_: dict[str, Any], status: int
) -> None:
    put_snapshot(service.objects)
    assert ask(lambda_handler, "GET", path, **request_).status == status


@pytest.mark.parametrize(
    ("path", "status"), [("/health", 503), ("/predict/cards/", 503), ("/docs", 200), ("/openapi.json", 200), ("/", 303)]
)
def test_answers_without_a_snapshot_are_as_the_document_says(service: Service, path: str, status: int) -> None:
    assert ask(lambda_handler, "GET", path).status == status


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/"])
def test_answers_of_documents_that_are_off_are_as_the_document_says(service: Service, path: str) -> None:
    service.restart(docs_enabled=False)
    assert ask(lambda_handler, "GET", path).status == 404
