"""What publishing refuses, and that a refusal leaves the bucket as it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.domain.manifests import MODEL_MANIFEST_KEY
from matchcast.errors import (
    AliasUnknown,
    ParityFailed,
    ReleaseRaceLost,
    ReleaseRefused,
    SignatureMissing,
    StorageUnavailable,
)
from matchcast.snapshots.contract import MATCH_FEATURES_FILE
from matchcast_tools.errors import BadInput, EnvironmentProblem
from matchcast_tools.models import artifact
from matchcast_tools.models.publish import Publication, publish_models
from matchcast_tools.models.release_run import ReleaseRun
from matchcast_tools.models.tracking import Tracking
from matchcast_tools.models.train import Trained, train
from tests.support.mlflow_models import Constant, logistic, register
from tests.support.mlflow_warnings import MLFLOW_WARNINGS
from tests.support.objects import content
from tests.support.releases import put_snapshot
from tests.support.served import STAGES

pytestmark = MLFLOW_WARNINGS


@pytest.fixture
def objects() -> InMemoryObjects:
    return InMemoryObjects()


def features_file(*names: str) -> bytes:
    """Return features of one match, all of them zero."""
    times = pa.array([0], pa.timestamp("ms", tz="UTC"))
    columns = {name: pa.array([0.0], pa.float32()) for name in names}
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"match_id": ["e0-2026-03-01-a-b"], **columns, "as_of": times}), sink)
    return bytes(sink.getvalue())


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

    def test_a_version_whose_features_the_snapshot_lacks(
        self, objects: InMemoryObjects, served: dict[str, bytes], publish_to: Callable[..., Publication]
    ) -> None:
        # GIVEN a snapshot with two features that no version has
        put_snapshot(objects, {MATCH_FEATURES_FILE: features_file("weather", "pitch")})
        before = content(objects)

        # WHEN a version is published
        with pytest.raises(ReleaseRefused, match=r"the present snapshot lacks: .*elo") as refused:
            publish_to(objects, ["candidate"], keep_others=True)

        # THEN nothing is changed, and the refusal says how to go on
        assert content(objects) == before
        assert "--without-matches" in refused.value.detail
        assert publish_to(objects, ["candidate"], keep_others=True, without_matches=True).is_new

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
