"""A champion with a column of each kind, published to serve_predictions, and the examples of its document."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from functions.serve_predictions import documents
from matchcast.domain.manifests import MODEL_MANIFEST_KEY, ModelManifest
from matchcast.domain.signature import Column, Signature
from tests.support.releases import published
from tests.support.serving import Service


def signature(*names: str) -> Signature:
    """Return a signature with a column of each kind, and more floats."""
    columns = [
        Column(name="elo", type="float"),
        Column(name="rest/days", type="long"),
        Column(name="derby", type="boolean"),
        Column(name="form", type="double", required=False),
    ]
    return Signature(inputs=(*columns, *(Column(name=name, type="float") for name in names)))


def publish(service: Service, version: str = "3", stage: str = "champion", *names: str) -> None:
    """Publish a version with that signature, and let the manifest be asked for again."""
    model = published(version).model_copy(update={"signature": signature(*names)})
    service.later()
    shipped_at = datetime.fromtimestamp(documents.OPENAPI.stat().st_mtime, UTC)
    manifest = ModelManifest(
        release=int(version), published_at=shipped_at + timedelta(days=int(version)), stages={stage: model}
    )
    service.objects.put(MODEL_MANIFEST_KEY, manifest.body())


def examples(document: dict[str, Any]) -> list[Any]:
    """Return the bodies that the document gives as examples of requests, and its examples of path parameters."""
    found: list[Any] = []
    for methods in document["paths"].values():
        for operation in methods.values():
            found += [part["example"] for part in operation.get("parameters", []) if part["in"] == "path"]
            for content in operation.get("requestBody", {}).get("content", {}).values():
                found += [example["value"] for example in content["examples"].values()]
    return found
