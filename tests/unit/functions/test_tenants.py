"""Every route that needs a token needs one that names a tenant, before it does or says anything."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from typing import Any, cast

import pytest

from matchcast.http.api import Api
from matchcast.http.tokens import MAX_TENANT_LENGTH, tenant_of
from tests.support.documented import ask
from tests.support.http_events import Context, http_event
from tests.support.template import load

SCOPES = "predictions/read predictions/write"
NO_TENANT: list[dict[str, Any]] = [{}, {"client_id": ""}]
HOSTILE: list[Any] = [
    "x" * (MAX_TENANT_LENGTH + 1),
    "x" * 10_000,
    "[a b]",
    "[a]",
    "map[a:b]",
    '{"a":1}',
    "a b",
    " a",
    "a\n",
    "a\x00",
    "a\x1b[2J",
    "tenant-a#1",
    "../tenant-b",
    "a/b",
    "..",
    "%2e%2e",
    "*",
    "a,b",
    "ünder",
    "а",  # noqa: RUF001 - Cyrillic, and no Latin letter
    ["a", "b"],
    7,
    True,
]
GOOD = [
    "2hj5t9kq0v1m3n4p5r6s7t8u9v",
    "0f8fad5b-d9cd-469f-a165-70867728950e",
    "auth0|5f7c8ec7c33c6c004bbafe82",
    "abc@clients",
    "ops+north@example.org",
    "x" * MAX_TENANT_LENGTH,
    "7",
]


def events() -> Iterator[tuple[str, str, str, bool]]:
    """Yield the function, method, path and need of a token of every route of the template."""
    for name, resource in load()["Resources"].items():
        if resource["Type"] != "AWS::Serverless::Function":
            continue
        folder = re.sub(r"(?<!^)(?=[A-Z])", "_", name.removesuffix("Function")).lower()
        for event in resource["Properties"].get("Events", {}).values():
            properties = event["Properties"]
            if event["Type"] == "HttpApi" and "Path" in properties:
                secured = properties.get("Auth", {}).get("Authorizer") != "NONE"
                yield folder, properties["Method"], properties["Path"], secured


ROUTES = list(events())
SECURED = [route[:3] for route in ROUTES if route[3]]


def handler(folder: str) -> Any:
    return importlib.import_module(f"functions.{folder}.handler")


def send(folder: str, method: str, path: str, claims: dict[str, Any]) -> Any:
    """Send a request whose path and body may be anything: the token is looked at first."""
    filled = re.sub(r"\{\w+\}", "some-thing", path.replace("/{proxy+}", "/"))
    body = {"nonsense": True} if method == "POST" else None
    found = ask(handler(folder).lambda_handler, method, filled, body=body, claims={"scope": SCOPES, **claims})
    if method == "HEAD":
        # It has no body to look at, so what it answers is read from the GET.
        got = send(folder, "GET", path, claims)
        assert found.status == got.status
        return got
    return found


def test_the_template_has_routes_with_and_without_a_token() -> None:
    assert {secured for *_, secured in ROUTES} == {True, False}
    assert len({folder for folder, *_ in SECURED}) == 6


@pytest.mark.parametrize(("folder", "method", "path"), SECURED)
@pytest.mark.parametrize("claims", NO_TENANT)
def test_a_token_without_a_tenant_is_refused_on_every_route_that_needs_one(
    folder: str, method: str, path: str, claims: dict[str, Any]
) -> None:
    found = send(folder, method, path, claims)
    assert (found.status, found.json["type"]) == (403, "urn:matchcast:problem:tenant-missing")
    assert "'client_id'" in found.json["detail"]


@pytest.mark.parametrize(("folder", "method", "path"), SECURED)
def test_a_claim_that_names_no_single_tenant_is_refused_on_every_route_that_needs_one(
    folder: str, method: str, path: str
) -> None:
    for claim in HOSTILE:
        found = send(folder, method, path, {"client_id": claim})
        assert (found.status, found.json["type"]) == (403, "urn:matchcast:problem:tenant-invalid"), claim
        assert "'client_id'" in found.json["detail"]
        assert len(found.body) < 1_000


def test_every_route_of_a_handler_that_names_a_scope_is_one_of_these() -> None:
    named = {
        (folder, route.method, re.sub(r"<(\w+)>", r"{\1}", route.openapi_path).rstrip("/"))
        for folder in {folder for folder, *_ in SECURED}
        for route in handler(folder).api.routes
        if route.security
    }
    assert named == {
        (folder, method, path) for folder, method, path in SECURED if "{proxy+}" not in path and method != "HEAD"
    }


@pytest.mark.parametrize("name", GOOD)
def test_names_that_issuers_give_are_tenants(name: str) -> None:
    assert tenant_of({"azp": name}, "azp") == name


def test_the_claim_is_the_one_that_the_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    monkeypatch.setenv("TENANT_CLAIM", "https://example.org/tenant")
    api = Api()

    @api.get("/who", security=[{"jwt": ["predictions/read"]}])
    def who() -> dict[str, str]:
        return {"tenant": api.tenant}

    # WHEN
    found = [
        api.resolve(http_event("GET", "/who", claims=claims), cast("Any", Context()))
        for claims in ({"client_id": "a"}, {"https://example.org/tenant": "north"})
    ]
    # THEN
    assert [each["statusCode"] for each in found] == [403, 200]
    assert found[1]["body"] == '{"tenant":"north"}'
