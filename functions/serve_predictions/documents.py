"""The API's description of itself: the OpenAPI document with the champion's features, and a page to read it.

The document ships with the function and takes any features; it is answered with those that the served champion takes.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aws_lambda_powertools
import orjson

from matchcast.bootstrap import releases, snapshots
from matchcast.domain.signature import Signature
from matchcast.errors import RouteNotFound, Transient
from matchcast.http.caching import Freshness, cached_response
from matchcast.http.contract import answers
from matchcast.http.routes import PATHS

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import Response

OPENAPI = Path(__file__).with_name("openapi.json")
STAGE = "champion"
"""The stage of requests that name none."""
COMPONENT = "Features"
REQUESTS = ("FeaturesRequest", "SubmitRequest")
"""Bodies with a property `features`: of POST /predict/ and of POST /predict/async/."""
_PAGE = Path(__file__).with_name("docs.html")
_PATHS = {"/docs", "/openapi.json"}

page_answers: dict[int, Any] = answers(200, 304, 404)
page_answers[200]["content"] = {"text/html": {"schema": {"type": "string"}}}


@dataclass(frozen=True, slots=True)
class Document:
    """The document as JSON, and since when it says what it says."""

    body: bytes
    modified_at: datetime


def known_paths() -> Mapping[str, Any]:
    """Return every path of the API with its methods."""
    enabled = snapshots.serve_predictions_settings().docs_enabled
    return {path: methods for path, methods in PATHS.items() if enabled or path not in _PATHS}


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


def document() -> Document:
    """Return the document with the champion's features; as it ships while no champion can be read.

    Raises
    ------
    RouteNotFound
        If the documentation is turned off.
    """
    if not snapshots.serve_predictions_settings().docs_enabled:
        raise RouteNotFound("The documentation of this API is turned off.")
    try:
        manifest = releases.models().current()
    except Transient:
        return Document(_shipped(), _deployed_at())
    published = manifest.stages.get(STAGE)
    if published is None:
        return Document(_shipped(), max(_deployed_at(), manifest.published_at))
    body = _with_features(published.name, published.version, published.signature)
    return Document(body, max(_deployed_at(), manifest.published_at))


# Two, for while a release is on its way; what is made from the same bytes is kept by others in the same way.
@lru_cache(maxsize=2)
def _with_features(name: str, version: str, signature: Signature) -> bytes:
    found = orjson.loads(_shipped())
    schemas = found["components"]["schemas"]
    schemas[COMPONENT] = {
        "title": f"Features of {name} {version}",
        "description": (
            f"What the model of the stage {STAGE} takes: {name}, version {version}. Another stage may take others; "
            f"GET /predict/model/info?stage=... says which."
        ),
        **signature.json_schema(),
        # What a page would make up for itself is the least number of the range.
        "examples": [{column.name: True if column.type == "boolean" else 1 for column in signature.inputs}],
    }
    for request in REQUESTS:
        properties = schemas[request]["properties"]
        properties["features"] = _referring(properties["features"])
    return orjson.dumps(found, option=orjson.OPT_INDENT_2)


def _referring(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of `features` with a reference where it takes any object; null stays, where it is taken."""
    reference = {"$ref": f"#/components/schemas/{COMPONENT}"}
    about = {"description": schema["description"]}
    if "anyOf" not in schema:
        return reference | about
    return {"anyOf": [reference if kind.get("type") == "object" else kind for kind in schema["anyOf"]]} | about


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
    start = f"window.ui = SwaggerUIBundle({{dom_id: '#swagger-ui', deepLinking: true, spec: {document}}});"
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
