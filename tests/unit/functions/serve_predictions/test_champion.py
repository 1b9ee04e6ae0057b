"""The document and the page show what the served champion takes, and the generic features where there is none."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema
import pytest
from aws_lambda_powertools.event_handler.openapi.models import OpenAPI

from functions.serve_predictions import documents
from matchcast.domain.manifests import MODEL_MANIFEST_KEY
from matchcast.errors import StorageUnavailable
from tests.support.champions import examples, publish, signature
from tests.support.http_events import Answer
from tests.support.serving import Service, shipped

Get = Callable[..., Answer]
GENERIC = shipped(lifetime=86_400)
BODIES = {"/predict/": {}, "/predict/async/": {"priority": "high"}}
GOOD = {"elo": 1500.5, "rest/days": 3, "derby": True}


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
    assert {name: features[name] for name in signature().json_schema()} == signature().json_schema()
    assert [len(signature().row(example)) for example in features["examples"]] == [4]
    for request in ("FeaturesRequest", "FeaturesSubmission"):
        assert found["components"]["schemas"][request]["properties"]["features"]["$ref"].endswith("/Features")


def test_no_name_in_the_document_changes_with_the_release(service: Service, get: Get) -> None:
    # WHEN
    found = []
    for version in ("3", "4"):
        publish(service, version)
        document = get("/openapi.json").json
        document["components"]["schemas"]["Features"].pop("description")
        found.append(document)
    # THEN what generated clients are made of is the same, and names the version nowhere
    assert found[0] == found[1]
    assert "title" not in found[0]["components"]["schemas"]["Features"]


def test_apart_from_the_features_it_is_the_document_that_ships(service: Service, get: Get) -> None:
    # GIVEN
    publish(service)
    # WHEN
    found = get("/openapi.json").json

    # THEN
    found["components"]["schemas"]["Features"] = GENERIC["components"]["schemas"]["Features"]
    for body in [each for each in examples(found) if isinstance(each, dict) and "features" in each]:
        body["features"] = {"elo_difference": 35.5, "form": 0.2}
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

    def test_without_a_snapshot(self, empty: Service, get: Get) -> None:
        assert get("/openapi.json").json == GENERIC

    def test_a_manifest_that_turns_bad_leaves_the_last_good_one(self, service: Service, get: Get) -> None:
        publish(service)
        first = get("/openapi.json")
        service.objects.put(MODEL_MANIFEST_KEY, b"{")
        service.later()
        assert get("/openapi.json").body == first.body


def test_the_shipped_document_has_what_is_put_in_place() -> None:
    assert GENERIC["components"]["schemas"][documents.COMPONENT]["type"] == "object"
    assert {type(each) for each in examples(GENERIC)} == {str, dict}
    assert documents.STAGE in GENERIC["components"]["schemas"]["FeaturesSubmission"]["properties"]["stage"]["examples"]
