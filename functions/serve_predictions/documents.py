"""The API's description of itself: the OpenAPI document with what is served, and a page to read it.

The document ships with the function and takes any features. It is answered with those that the served champion takes,
with the lifetime that tasks have here, and with a match of the present snapshot in its examples, so that they can be
sent as they are.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aws_lambda_powertools
import orjson

from matchcast.bootstrap import http, releases, snapshots
from matchcast.domain.signature import Column, Signature
from matchcast.errors import RouteNotFound, Transient
from matchcast.http.caching import Freshness, cached_response
from matchcast.http.contract import answers
from matchcast.snapshots.serve import ServedSnapshot
from matchcast.snapshots.tables import Filters

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import Response

OPENAPI = Path(__file__).with_name("openapi.json")
STAGE = "champion"
"""The stage of requests that name none."""
COMPONENT = "Features"
_PAGE = Path(__file__).with_name("docs.html")

page_answers: dict[int, Any] = answers(200, 304, RouteNotFound)
page_answers[200]["content"] = {"text/html": {"schema": {"type": "string"}, "example": "<!DOCTYPE html>"}}
document_answers: dict[int, Any] = answers(200, 304, RouteNotFound)
document_answers[200]["content"] = {"application/json": {"schema": {"type": "object"}, "example": {"openapi": "3.1.0"}}}


@dataclass(frozen=True, slots=True)
class Document:
    """The document as JSON, and since when it says what it says."""

    body: bytes
    modified_at: datetime


def openapi_document(headers: Mapping[str, str]) -> Response[Any]:
    """Return the OpenAPI document."""
    shown = document()
    return _kept(headers, shown.body, shown.modified_at, "application/json")


def docs_page(headers: Mapping[str, str]) -> Response[Any]:
    """Return Swagger UI with the document, its code and its styles in one page."""
    shown = document()
    page, policy = _page(shown.body)
    response = _kept(headers, page, shown.modified_at, "text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = policy
    return response


def demand_documentation() -> None:
    """Raise RouteNotFound if the documentation is turned off."""
    if not http.settings().docs_enabled:
        raise RouteNotFound("The documentation of this API is turned off.")


def document() -> Document:
    """Return the document with the champion's features and a match of the snapshot; without them where there are none.

    Raises
    ------
    RouteNotFound
        If the documentation is turned off.
    """
    demand_documentation()
    champion, match, changed = None, None, [_deployed_at()]
    with suppress(Transient):
        manifest = releases.models().current()
        champion = manifest.stages.get(STAGE)
        changed.append(manifest.published_at)
    with suppress(Transient):
        served = snapshots.serve_snapshot().current()
        match = _example_match(served)
        changed.append(served.manifest.created_at)
    about = champion and (champion.name, champion.version, champion.signature)
    lifetime = snapshots.serve_predictions_settings().task_lifetime_seconds
    return Document(_filled(about, match, lifetime), max(changed))


@dataclass(frozen=True, slots=True)
class ExampleMatch:
    """A match that a reader of the document can ask for, and its features."""

    match_id: str
    features: tuple[tuple[str, float | None], ...]


def _example_match(served: ServedSnapshot) -> ExampleMatch | None:
    """Return the first match that the snapshot predicts, of those that were not played yet when it was made."""
    for filters in (Filters(date_from=served.manifest.as_of.date()), Filters()):
        if rows := served.tables.predictions.page(filters, None, 1).rows:
            row = orjson.loads(served.match(orjson.loads(rows)["match_id"]))
            return ExampleMatch(row["match_id"], tuple(row["features"].items()))
    return None


# Two, for while a release is on its way; what is made from the same bytes is kept by others in the same way.
@lru_cache(maxsize=2)
def _filled(champion: tuple[str, str, Signature] | None, match: ExampleMatch | None, lifetime: int) -> bytes:
    examples: dict[str, Any] = {"match_id": match.match_id} if match else {}
    found = orjson.loads(_shipped())
    for schema in found["components"]["schemas"].values():
        for kind in schema.get("properties", {}).get("start_within", {}).get("anyOf", ()):
            if "maximum" in kind:
                kind["maximum"] = lifetime
    if champion:
        name, version, signature = champion
        given = dict(match.features) if match else {}
        examples["features"] = {column.name: _example(column, given.get(column.name)) for column in signature.inputs}
        # No title: generated clients would name a class after it, and the name has to outlast the version.
        found["components"]["schemas"][COMPONENT] = {
            "description": (
                f"What the model of the stage {STAGE} takes: {name}, version {version}. Another stage may take others; "
                f"GET /predict/model/info?stage=... says which."
            ),
            **signature.json_schema(),
            "examples": [examples["features"]],
        }
    for operation in (operation for methods in found["paths"].values() for operation in methods.values()):
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "path" and parameter["name"] in examples:
                parameter["example"] = examples[parameter["name"]]
        for content in operation.get("requestBody", {}).get("content", {}).values():
            for example in content["examples"].values():
                example["value"] |= {name: examples[name] for name in example["value"] if name in examples}
    return orjson.dumps(found, option=orjson.OPT_INDENT_2)


def _example(column: Column, given: float | None) -> bool | float:
    """Return a value for a column: the match's own, where the snapshot has it."""
    if column.type == "boolean":
        return given is None or bool(given)
    if given is None:
        return 1
    return int(given) if column.type in ("integer", "long") else given


@cache
def _shipped() -> bytes:
    return OPENAPI.read_bytes()


@cache
def _deployed_at() -> datetime:
    return datetime.fromtimestamp(OPENAPI.stat().st_mtime, UTC)


def _kept(headers: Mapping[str, str], body: bytes, modified_at: datetime, content_type: str) -> Response[Any]:
    digest = hashlib.sha256(body).hexdigest()
    freshness = Freshness({"sha256": digest}, modified_at=modified_at, cache_control="public, max-age=300")
    return cached_response(headers, freshness, lambda: body, content_type=content_type)


@lru_cache(maxsize=2)
def _page(body: bytes) -> tuple[bytes, str]:
    """Return the page, and the policy that lets a browser run its own scripts and load nothing from elsewhere."""
    assets = Path(aws_lambda_powertools.__file__).parent / "event_handler" / "openapi" / "swagger_ui"
    # Nothing in the document may end the script that it is part of.
    document = body.decode().replace("<", "\\u003c")
    bundle = (assets / "swagger-ui-bundle.min.js").read_text(encoding="utf-8")
    options = "dom_id: '#swagger-ui', deepLinking: true, defaultModelsExpandDepth: 0"
    start = f"window.ui = SwaggerUIBundle({{{options}, spec: {document}}});"
    page = _PAGE.read_text(encoding="utf-8")
    for name, content in (
        ("styles", (assets / "swagger-ui.min.css").read_text(encoding="utf-8")),
        ("bundle", bundle),
        ("start", start),
    ):
        page = page.replace(f"{{{{ {name} }}}}", content, 1)
    scripts = " ".join(f"'sha256-{_digest(script)}'" for script in (bundle, start))
    policy = (
        f"default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return page.encode(), policy


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
