"""The API's description of itself: the OpenAPI document with the champion's features, and a page to read it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aws_lambda_powertools

from functions.serve_predictions import champion
from matchcast.bootstrap import snapshots
from matchcast.errors import RouteNotFound
from matchcast.http.caching import Freshness, cached_response
from matchcast.http.contract import answers
from matchcast.http.routes import PATHS

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import Response

_PAGE = Path(__file__).with_name("docs.html")
_PATHS = {"/docs", "/openapi.json"}

page_answers: dict[int, Any] = answers(200, 304, 404)
page_answers[200]["content"] = {"text/html": {"schema": {"type": "string"}}}


def known_paths() -> Mapping[str, Any]:
    """Return every path of the API with its methods."""
    enabled = snapshots.serve_predictions_settings().docs_enabled
    return {path: methods for path, methods in PATHS.items() if enabled or path not in _PATHS}


def openapi_document(headers: Mapping[str, str]) -> Response[Any]:
    """Return the OpenAPI document."""
    _check_enabled()
    document = champion.document()
    return _kept(headers, document.body, document.modified_at, "application/json")


def docs_page(headers: Mapping[str, str]) -> Response[Any]:
    """Return Swagger UI with the document, its code and its styles in one page."""
    _check_enabled()
    document = champion.document()
    page, policy = _page(document.body)
    response = _kept(headers, page, document.modified_at, "text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = policy
    return response


def _check_enabled() -> None:
    if not snapshots.serve_predictions_settings().docs_enabled:
        raise RouteNotFound("The documentation of this API is turned off.")


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
