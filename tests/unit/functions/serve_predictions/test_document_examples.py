"""The examples of the document are of what is served, so that they can be sent as they are."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from functions.serve_predictions import documents
from matchcast.domain.manifests import SNAPSHOT_MANIFEST_KEY
from matchcast.domain.signature import Column, Signature
from tests.support.champions import examples, publish, signature
from tests.support.http_events import Answer
from tests.support.serving import Service
from tests.support.snapshots import put_snapshot

Get = Callable[..., Answer]


def test_its_examples_are_a_match_of_the_snapshot_and_what_the_champion_takes(empty: Service, get: Get) -> None:
    # GIVEN a snapshot that was made when its first matches were over, and a champion that takes more than it has
    manifest = put_snapshot(empty.objects).model_copy(update={"as_of": datetime(2026, 3, 14, tzinfo=UTC)})
    empty.objects.put(SNAPSHOT_MANIFEST_KEY, manifest.body())
    publish(empty)
    # WHEN
    found = examples(get("/openapi.json").json)
    # THEN
    matches = {each for each in found if isinstance(each, str) and each.startswith("e0-")}
    matches |= {each["match_id"] for each in found if isinstance(each, dict) and "match_id" in each}
    assert matches == {"e0-2026-03-14-birch-cedar"}
    features = [each["features"] for each in found if isinstance(each, dict) and "features" in each]
    assert len(features) == 2
    assert all(signature().row(each) for each in features)


def test_features_of_an_example_are_those_of_its_match_by_the_types_of_the_signature() -> None:
    kinds = {"double": 2.0, "long": 2, "integer": 2, "boolean": True}
    for kind, expected in kinds.items():
        column = Column.model_validate({"name": "form", "type": kind})
        value = documents._example(column, 2.0)
        assert (value, type(value)) == (expected, type(expected))
        assert len(Signature(inputs=(column,)).row({"form": documents._example(column, None)})) == 1
