"""The OpenAPI document as it ships, with the features that the served champion takes in place of any features."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import orjson

from matchcast.bootstrap import releases
from matchcast.domain.signature import Signature
from matchcast.errors import Transient

OPENAPI = Path(__file__).with_name("openapi.json")
STAGE = "champion"
"""The stage of requests that name none."""
COMPONENT = "Features"
REQUESTS = ("FeaturesRequest", "SubmitRequest")
"""Bodies with a property `features`: of POST /predict/ and of POST /predict/async/."""


@dataclass(frozen=True, slots=True)
class Document:
    """The document as JSON, and since when it says what it says."""

    body: bytes
    modified_at: datetime


def document() -> Document:
    """Return the document with the champion's features; as it ships while no champion can be read."""
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
