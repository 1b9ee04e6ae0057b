"""The document and the page show what the served champion takes, and the generic features where there is none."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema
import pytest
from aws_lambda_powertools.event_handler.openapi.models import OpenAPI

from functions.serve_predictions import documents
from functions.serve_predictions.documents import REQUESTS
from matchcast.domain.manifests import MODEL_MANIFEST_KEY, ModelManifest
from matchcast.domain.signature import Column, Signature
from matchcast.errors import StorageUnavailable
from tests.support.http_events import Answer
from tests.support.releases import published
from tests.support.serving import Service

Get = Callable[..., Answer]
GENERIC: dict[str, Any] = json.loads(documents.OPENAPI.read_text())
BODIES = {"/predict/": {}, "/predict/async/": {"priority": "high"}}
GOOD = {"elo": 1500.5, "rest/days": 3, "derby": True}


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


def validator(document: dict[str, Any], path: str) -> jsonschema.Draft202012Validator:
    """Return a validator of the bodies of a POST."""
    schema = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    return jsonschema.Draft202012Validator({**schema, "components": document["components"]})


def references(part: Any) -> Iterator[str]:
    """Yield every reference of a document."""
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for each in part.values():
            yield from references(each)
    elif isinstance(part, list):
        for each in part:
            yield from references(each)


def test_the_document_has_the_champions_features_as_a_schema_of_its_own(service: Service, get: Get) -> None:
    publish(service)
    found = get("/openapi.json", claims={}).json

    features = found["components"]["schemas"]["Features"]
    assert features["title"] == "Features of matchcast 3"
    assert {name: features[name] for name in signature().json_schema()} == signature().json_schema()
    assert [len(signature().row(example)) for example in features["examples"]] == [4]
    assert found["components"]["schemas"]["FeaturesRequest"]["properties"]["features"]["$ref"].endswith("/Features")


def test_apart_from_the_features_it_is_the_document_that_ships(service: Service, get: Get) -> None:
    # GIVEN
    publish(service)
    # WHEN
    found = get("/openapi.json").json

    # THEN
    del found["components"]["schemas"]["Features"]
    for request in REQUESTS:
        mine = found["components"]["schemas"][request]["properties"]
        shipped = GENERIC["components"]["schemas"][request]["properties"]
        assert mine["features"]["description"] == shipped["features"]["description"]
        mine["features"] = shipped["features"]
    assert found == GENERIC


def test_it_is_a_document_of_openapi_whose_schemas_and_references_hold(service: Service, get: Get) -> None:
    # GIVEN
    publish(service)
    # WHEN
    found = get("/openapi.json").json

    # THEN
    OpenAPI.model_validate(found)
    for schema in found["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    for reference in set(references(found)):
        part = found
        for name in reference.removeprefix("#/").split("/"):
            part = part[name]


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(
    ("features", "valid"),
    [
        (GOOD, True),
        ({**GOOD, "form": None}, True),
        ({**GOOD, "elo": "1500"}, False),
        ({**GOOD, "rest/days": None}, False),
        ({**GOOD, "extra": 1}, False),
        ({"elo": 1}, False),
    ],
)
def test_its_bodies_take_what_the_champion_takes(
    service: Service, get: Get, path: str, features: dict[str, Any], valid: bool
) -> None:
    publish(service)
    body = {**BODIES[path], "features": features}
    assert validator(get("/openapi.json").json, path).is_valid(body) is valid


def test_a_task_of_a_match_still_needs_no_features(service: Service, get: Get) -> None:
    publish(service)
    bodies = validator(get("/openapi.json").json, "/predict/async/")
    assert bodies.is_valid({"match_id": "e0-2026-03-07-alder-birch"})
    assert bodies.is_valid({"match_id": "e0-2026-03-07-alder-birch", "features": None})
    assert not bodies.is_valid({"features": None})


@pytest.mark.parametrize("path", ["/docs", "/openapi.json"])
def test_another_champion_is_another_state_of_the_document(service: Service, get: Get, path: str) -> None:
    # GIVEN
    publish(service, "3")
    first = get(path)
    assert get(path, headers={"If-None-Match": first.headers["etag"]}).status == 304
    # WHEN another version is published, and the manifest is due
    publish(service, "4", "champion", "momentum")
    for condition, held in (("If-None-Match", "etag"), ("If-Modified-Since", "last-modified")):
        second = get(path, headers={condition: first.headers[held]})
        # THEN a client that holds the old document gets the new one
        assert second.status == 200
    assert second.headers["etag"] != first.headers["etag"]
    assert b"momentum" in second.body
    assert b"momentum" not in first.body


def test_a_release_that_leaves_the_champion_leaves_the_document(service: Service, get: Get) -> None:
    publish(service)
    first = get("/openapi.json")
    service.later()
    assert get("/openapi.json", headers={"If-None-Match": first.headers["etag"]}).status == 304


def test_the_page_shows_the_same_document(service: Service, get: Get) -> None:
    # GIVEN
    publish(service, "3", "champion", "</script><!--<script>")
    # WHEN
    page = get("/docs").body.decode()

    # THEN
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert len(scripts) == 2
    start = scripts[1]
    assert "<" not in start
    document = start[start.index("spec: ") + len("spec: ") : start.rindex("});")]
    assert json.loads(document) == get("/openapi.json").json
    assert "</script><!--<script>" in json.loads(document)["components"]["schemas"]["Features"]["properties"]


class TestGeneric:
    """The documentation can be read whatever is wrong with the models."""

    def test_without_any_model(self, service: Service, get: Get) -> None:
        assert get("/openapi.json").json == GENERIC

    def test_without_a_champion(self, service: Service, get: Get) -> None:
        publish(service, "3", "candidate")
        assert get("/openapi.json").json == GENERIC

    @pytest.mark.parametrize("path", ["/docs", "/openapi.json"])
    @pytest.mark.parametrize("body", [b"", b"{", b'{"schema_version": 2}'])
    def test_with_a_manifest_that_cannot_be_read(self, service: Service, get: Get, path: str, body: bytes) -> None:
        service.objects.put(MODEL_MANIFEST_KEY, body)
        assert get(path).status == 200

    def test_without_the_bucket(self, service: Service, get: Get, monkeypatch: pytest.MonkeyPatch) -> None:
        def away(*_: Any) -> None:
            raise StorageUnavailable("The data bucket did not answer.")

        monkeypatch.setattr(service.objects, "get", away)
        assert get("/openapi.json").json == GENERIC

    def test_a_manifest_that_turns_bad_leaves_the_last_good_one(self, service: Service, get: Get) -> None:
        publish(service)
        first = get("/openapi.json")
        service.objects.put(MODEL_MANIFEST_KEY, b"{")
        service.later()
        assert get("/openapi.json").body == first.body


def test_the_shipped_document_has_what_is_put_in_place() -> None:
    for request in REQUESTS:
        properties = GENERIC["components"]["schemas"][request]["properties"]
        assert '"type": "object"' in json.dumps(properties["features"])
        assert properties["stage"]["default"] == documents.STAGE
    assert documents.COMPONENT not in GENERIC["components"]["schemas"]
