"""Publishing: what ends up in the bucket."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.domain.manifests import MODEL_MANIFEST_KEY
from matchcast.errors import ModelUnavailable
from matchcast_tools.models.publish import Publication, publish_models
from matchcast_tools.models.registry import aliases_elsewhere
from matchcast_tools.models.release_run import ReleaseRun
from matchcast_tools.models.tracking import Tracking
from matchcast_tools.models.train import Trained, train
from tests.support.datasets import FEATURES
from tests.support.mlflow_warnings import MLFLOW_WARNINGS
from tests.support.objects import content, keys
from tests.support.served import STAGES, served_models

pytestmark = MLFLOW_WARNINGS


@pytest.fixture
def objects() -> InMemoryObjects:
    return InMemoryObjects()


def test_the_stages_serve_what_the_aliases_name(
    objects: InMemoryObjects, publish_to: Callable[..., Publication], trained: Trained
) -> None:
    # WHEN
    release = publish_to(objects)

    # THEN
    served = served_models(objects).get("champion")
    assert release.is_new
    assert release.manifest.release == 1
    assert served.published.version == trained.version
    assert served.published.run_id == trained.run_id
    assert served.published.trained_until == trained.trained_until
    assert served.published.metrics == pytest.approx(trained.metrics)
    assert served.published.signature.names == FEATURES
    probabilities = served.model.predict(np.zeros((2, len(FEATURES)), dtype=np.float32))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


def test_a_version_under_several_aliases_is_exported_once(
    objects: InMemoryObjects, publish_to: Callable[..., Publication], trained: Trained
) -> None:
    # GIVEN
    steps: list[str] = []
    # WHEN
    release = publish_to(objects, progress=steps.append)

    # THEN
    prefixes = {model.prefix for model in release.manifest.stages.values()}
    assert set(release.manifest.stages) == set(STAGES)
    assert len(prefixes) == 1
    assert sum(step.startswith("exporting") for step in steps) == 1
    prefix = prefixes.pop()
    assert prefix.startswith(f"models/matchcast/{trained.version}-")
    names = ("lineage.json", "model.onnx", "signature.json")
    assert keys(objects, "models/") == [MODEL_MANIFEST_KEY, *(prefix + name for name in names)]


def test_the_alias_of_another_registered_model_is_another_release(
    objects: InMemoryObjects, data_dir: Path, new_store: Callable[[], Tracking]
) -> None:
    # GIVEN two registered models whose versions and aliases have the same names
    tracking = new_store()
    train(data_dir, aliases=["champion"], tracking=tracking)
    client = tracking.connect()
    first_one = client.get_model_version("matchcast", "1")
    client.create_registered_model("other")
    client.create_model_version("other", str(first_one.source), run_id=first_one.run_id)
    client.set_registered_model_alias("other", "champion", "1")
    run = ReleaseRun(objects=objects, tracking=tracking)
    first = publish_models(run, ["champion"])

    # WHEN the alias of the other one is published
    second = publish_models(replace(run, name="other"), ["champion"])

    # THEN it is a release of its own, and its history says which model it was
    assert second.is_new
    assert second.manifest.stages["champion"].name == "other"
    assert first.manifest.stages["champion"].version == second.manifest.stages["champion"].version == "1"
    assert second.manifest.change is not None
    move = second.manifest.change.stages["champion"]
    assert (move.before, move.after) == ("matchcast 1", "other 1")
    assert aliases_elsewhere(tracking, ["champion", "smoke"]) == {"champion": ["other"]}


def test_writes_the_signature_beside_the_artifact(
    objects: InMemoryObjects, publish_to: Callable[..., Publication]
) -> None:
    published = publish_to(objects).manifest.stages["champion"]
    stored = objects.get(published.prefix + "signature.json")
    assert stored is not None
    signature = json.loads(stored.body)
    assert [column["name"] for column in signature["inputs"]] == list(FEATURES)
    assert signature["outputs"] == ["home", "draw", "away"]


def test_shows_parity_on_the_example_and_the_rows_of_the_dataset(
    objects: InMemoryObjects, publish_to: Callable[..., Publication]
) -> None:
    (exported,) = publish_to(objects).exported
    assert exported.parity_rows == 5 + 630
    assert exported.parity_difference <= 1e-5


def test_parity_is_shown_without_a_dataset_too(
    objects: InMemoryObjects, trained: Trained, tracking: Tracking, tmp_path: Path
) -> None:
    for data_dir in (None, tmp_path):
        run = ReleaseRun(objects=objects, tracking=tracking)
        (exported,) = publish_models(run, ["champion"], data_dir=data_dir).exported
        assert exported.parity_rows == 5


def test_publishing_again_changes_nothing(objects: InMemoryObjects, publish_to: Callable[..., Publication]) -> None:
    first = publish_to(objects)
    before = content(objects)

    again = publish_to(objects)

    assert not again.is_new
    assert again.manifest == first.manifest
    assert content(objects) == before


def test_publishing_again_repairs_a_file_that_was_changed(
    objects: InMemoryObjects, publish_to: Callable[..., Publication]
) -> None:
    key = publish_to(objects).manifest.stages["champion"].prefix + "model.onnx"
    objects.put(key, b"changed")
    with pytest.raises(ModelUnavailable):
        served_models(objects).get("champion")

    publish_to(objects)

    assert served_models(objects).get("champion").stage == "champion"


def test_a_moved_alias_is_served_after_the_next_publish(
    objects: InMemoryObjects, publish_to: Callable[..., Publication], data_dir: Path, tracking: Tracking
) -> None:
    publish_to(objects, ["champion"])
    newer = train(data_dir, aliases=["next"], tracking=tracking)

    release = publish_to(objects, ["champion", "next"])

    assert release.manifest.release == 2
    assert served_models(objects).get("next").published.version == newer.version


def test_other_stages_stay_only_when_asked(objects: InMemoryObjects, publish_to: Callable[..., Publication]) -> None:
    publish_to(objects, ["champion", "smoke"])
    assert set(publish_to(objects, ["candidate"], keep_others=True).manifest.stages) == set(STAGES)
    assert set(publish_to(objects, ["champion"]).manifest.stages) == {"champion"}


def test_an_unreadable_manifest_is_replaced(objects: InMemoryObjects, publish_to: Callable[..., Publication]) -> None:
    objects.put(MODEL_MANIFEST_KEY, b'{"half')
    assert publish_to(objects).is_new
    assert served_models(objects).get("champion").stage == "champion"


def test_says_all_of_it_as_json(
    objects: InMemoryObjects, publish_to: Callable[..., Publication], trained: Trained
) -> None:
    said = json.loads(json.dumps(publish_to(objects).as_dict()))
    assert said["stages"]["champion"]["version"] == trained.version
    assert said["parity"][trained.version]["max_difference"] <= 1e-5
