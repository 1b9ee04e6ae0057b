from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable

import pytest

from functions.serve_predictions.handler import lambda_handler
from tests.support.documented import ask
from tests.support.http_events import Answer
from tests.support.serving import Service, shipped

Get = Callable[..., Answer]


def test_the_document_is_the_one_that_ships_with_the_function(service: Service, get: Get) -> None:
    found = get("/openapi.json", claims={})
    assert (found.status, found.headers["content-type"]) == (200, "application/json")
    assert found.json == shipped(lifetime=86_400)


def test_the_document_names_the_lifetime_that_tasks_have_on_the_stack(service: Service, get: Get) -> None:
    service.restart(task_lifetime_seconds=60)

    assert get("/openapi.json").json == shipped(lifetime=60)


def test_the_page_needs_nothing_from_another_host(service: Service, get: Get) -> None:
    found = get("/docs/", claims={})
    page = found.body.decode()
    assert (found.status, found.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert len(found.raw["body"]) < 6_000_000
    shell = re.sub(r"<(script|style)>.*?</\1>", "", page, flags=re.DOTALL)
    assert re.findall(r"src=|href=|url\(|http|\{\{", shell) == []
    styles = "".join(re.findall(r"<style>(.*?)</style>", page, re.DOTALL)).replace("'", "").replace('"', "")
    assert re.findall(r"url\((?!data:)|@import", styles) == []


def test_the_page_may_run_its_own_scripts_and_no_others(service: Service, get: Get) -> None:
    found = get("/docs")
    policy = found.headers["content-security-policy"]
    scripts = re.findall(r"<script>(.*?)</script>", found.body.decode(), re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    assert len(hashes) == 2
    assert f"script-src 'sha256-{hashes[0]}' 'sha256-{hashes[1]}';" in policy
    assert "default-src 'none'" in policy


def test_the_page_holds_the_document(service: Service, get: Get) -> None:
    start = re.findall(r"<script>(.*?)</script>", get("/docs").body.decode(), re.DOTALL)[1]
    document = start[start.index("spec: ") + len("spec: ") : start.rindex("});")]
    assert json.loads(document) == shipped(lifetime=86_400)


@pytest.mark.parametrize("path", ["/docs", "/openapi.json"])
def test_documents_may_be_kept_and_are_compressed(service: Service, get: Get, path: str) -> None:
    found = get(path, headers={"Accept-Encoding": "gzip"})
    assert found.headers["content-encoding"] == "gzip"
    assert found.headers["cache-control"] == "public, max-age=300"
    tag = found.headers["etag"]
    assert get(path, headers={"Accept-Encoding": "gzip", "If-None-Match": tag}).status == 304


@pytest.mark.parametrize("path", ["/", "/docs", "/openapi.json", "/docs/", "/openapi.json/"])
def test_documents_can_be_turned_off(service: Service, get: Get, path: str) -> None:
    service.restart(docs_enabled=False)
    found = get(path)
    assert (found.status, found.json["type"]) == (404, "urn:matchcast:problem:route-not-found")
    assert get("/predict/cards/").status == 200


@pytest.mark.parametrize("path", ["/", "/docs", "/openapi.json"])
def test_documents_that_are_off_are_no_known_paths(service: Service, path: str) -> None:
    assert ask(lambda_handler, "DELETE", path).status == 405
    service.restart(docs_enabled=False)
    assert ask(lambda_handler, "DELETE", path).status == 404


def test_nothing_leads_to_documents_that_are_off(service: Service, get: Get) -> None:
    assert "/openapi.json" in get("/nowhere").json["detail"]
    service.restart(docs_enabled=False)
    for path in ("/", "/nowhere", "/docs", "/openapi.json", "/predict/precomputed/nobody", "/predict/cards/x/y"):
        found = get(path)
        assert found.status == 404
        assert re.findall(rb"docs|openapi", found.body.replace(f'"instance":"{path}"'.encode(), b"")) == []


def test_the_root_leads_to_the_page(service: Service, get: Get) -> None:
    found = get("/", claims={})
    assert (found.status, found.body) == (303, b"")
    assert get(found.headers["location"]).headers["content-type"] == "text/html; charset=utf-8"


def test_documents_are_only_read(service: Service) -> None:
    assert ask(lambda_handler, "POST", "/openapi.json").status == 405
