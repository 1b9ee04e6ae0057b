"""Publishing: what ends up in the bucket, and that a refusal leaves it as it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.adapters.onnx_model import load_onnx
from matchcast.domain.manifests import MODEL_MANIFEST_KEY, ModelManifest
from matchcast.errors import (
    AliasUnknown,
    ModelUnavailable,
    ParityFailed,
    ReleaseRaceLost,
    ReleaseRefused,
    SignatureMissing,
    StorageUnavailable,
)
from matchcast.releases.readers import ManifestReader
from matchcast.releases.served_models import ServedModels
from matchcast_tools.errors import BadInput, EnvironmentProblem
from matchcast_tools.models import artifact
from matchcast_tools.models.publish import Publication, publish_models
from matchcast_tools.models.release_run import ReleaseRun
from matchcast_tools.models.tracking import Tracking
from matchcast_tools.models.train import Trained, train
from tests.support.datasets import FEATURES
from tests.support.mlflow_models import Constant, logistic, register
from tests.support.mlflow_warnings import MLFLOW_WARNINGS
from tests.support.objects import keys

pytestmark = MLFLOW_WARNINGS

NOW = datetime(2026, 11, 21, 7, tzinfo=UTC)
STAGES = ("champion", "candidate", "smoke")


@pytest.fixture
def objects() -> InMemoryObjects:
    return InMemoryObjects()


@pytest.fixture
def publish_to(trained: Trained, tracking: Tracking, data_dir: Path) -> Callable[..., Publication]:
    """`publish_models` with this session's store and dataset."""

    def run(objects: InMemoryObjects, stages: Any = STAGES, keep_others: bool = False, **options: Any) -> Publication:
        run = ReleaseRun(objects=objects, tracking=tracking, now=NOW, **options)
        return publish_models(run, stages, keep_others=keep_others, data_dir=data_dir)

    return run


def served_models(objects: InMemoryObjects) -> ServedModels:
    """Return the models as the inference function has them."""
    return ServedModels(ManifestReader(objects, MODEL_MANIFEST_KEY, ModelManifest, 0), objects, load_onnx)


def content(objects: InMemoryObjects) -> dict[str, bytes]:
    return {key: objects.get(key).body for key in keys(objects)}  # type: ignore[union-attr]


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


class TestRefusals:
    """Each leaves every object as it was, and the version that is served with it."""

    @pytest.fixture
    def served(self, objects: InMemoryObjects, publish_to: Callable[..., Publication]) -> dict[str, bytes]:
        publish_to(objects, ["champion"])
        return content(objects)

    @pytest.fixture
    def drifted(self, trained: Trained, data_dir: Path, tracking: Tracking) -> str:
        """Return the alias of a version that learnt from other matches than the champion."""
        train(data_dir, aliases=["drifted"], tracking=tracking)
        return "drifted"

    def test_an_unknown_alias(
        self, objects: InMemoryObjects, served: dict[str, bytes], publish_to: Callable[..., Publication]
    ) -> None:
        with pytest.raises(AliasUnknown, match="nobody"):
            publish_to(objects, ["champion", "nobody"])
        assert content(objects) == served

    def test_no_stage_at_all(
        self, objects: InMemoryObjects, served: dict[str, bytes], publish_to: Callable[..., Publication]
    ) -> None:
        with pytest.raises(BadInput, match="no stage"):
            publish_to(objects, [])
        assert content(objects) == served

    def test_a_model_without_a_signature(
        self,
        objects: InMemoryObjects,
        served: dict[str, bytes],
        publish_to: Callable[..., Publication],
        tracking: Tracking,
    ) -> None:
        register(tracking, logistic(), name="unsigned-release", inputs=None)
        with pytest.raises(SignatureMissing):
            publish_to(objects, ["champion"], name="unsigned-release")
        assert content(objects) == served

    def test_a_model_that_cannot_be_exported(
        self,
        objects: InMemoryObjects,
        served: dict[str, bytes],
        publish_to: Callable[..., Publication],
        tracking: Tracking,
    ) -> None:
        register(tracking, Constant(), name="unknown-kind")
        with pytest.raises(ReleaseRefused, match="cannot be exported"):
            publish_to(objects, ["champion"], name="unknown-kind")
        assert content(objects) == served

    def test_an_artifact_of_another_width_than_the_signature(
        self,
        objects: InMemoryObjects,
        served: dict[str, bytes],
        publish_to: Callable[..., Publication],
        tracking: Tracking,
    ) -> None:
        register(tracking, logistic(columns=2), name="narrow")
        with pytest.raises(ReleaseRefused):
            publish_to(objects, ["champion"], name="narrow")
        assert content(objects) == served

    def test_failing_parity(
        self,
        objects: InMemoryObjects,
        served: dict[str, bytes],
        publish_to: Callable[..., Publication],
        monkeypatch: pytest.MonkeyPatch,
        drifted: str,
    ) -> None:
        # GIVEN an exporter that gives another model than the registered one
        wrong = next(body for key, body in served.items() if key.endswith("model.onnx"))
        monkeypatch.setattr(artifact, "to_onnx", lambda _: wrong)
        with pytest.raises(ParityFailed):
            publish_to(objects, ["champion", drifted])
        assert content(objects) == served

    def test_a_lost_race(
        self, served: dict[str, bytes], publish_to: Callable[..., Publication], data_dir: Path, tracking: Tracking
    ) -> None:
        # GIVEN another publisher, who switches between this one's reading and its switch
        class Raced(InMemoryObjects):
            def switch(self, key: str, body: bytes, etag: str | None) -> bool:
                super().put(key, theirs)
                return super().switch(key, body, etag)

        theirs = served[MODEL_MANIFEST_KEY]
        objects = Raced()
        # WHEN this one publishes
        # THEN that fails, and the manifest is the other one's
        with pytest.raises(ReleaseRaceLost, match="Somebody else"):
            publish_to(objects, ["champion"])
        assert content(objects)[MODEL_MANIFEST_KEY] == theirs

    def test_a_bucket_out_of_reach(self, publish_to: Callable[..., Publication]) -> None:
        class Away(InMemoryObjects):
            def get(self, key: str) -> Any:
                raise StorageUnavailable("The data bucket did not answer.")

        with pytest.raises(StorageUnavailable):
            publish_to(Away())

    def test_no_registry(self, objects: InMemoryObjects, tmp_path: Path) -> None:
        with pytest.raises(EnvironmentProblem, match="matchcast train"):
            publish_models(ReleaseRun(objects=objects, tracking=Tracking.at(tmp_path)), STAGES)
        assert content(objects) == {}
