"""The registry: versions by alias, and clear words where something is missing."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from matchcast.adapters.pyfunc_answers import typed_frame
from matchcast.errors import AliasUnknown, ReleaseRefused, SignatureMissing
from matchcast_tools.errors import EnvironmentProblem
from matchcast_tools.models.registry import RegisteredModel, configured_stages, load, resolve
from matchcast_tools.models.tracking import Tracking
from matchcast_tools.models.train import Trained
from tests.support.datasets import FEATURES
from tests.support.mlflow_models import Constant, register
from tests.support.mlflow_warnings import MLFLOW_WARNINGS

pytestmark = MLFLOW_WARNINGS


class TestTracking:
    def test_is_the_store_of_the_environment_or_the_local_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert Tracking.find().uri.endswith("/mlflow.db")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example.org")
        assert Tracking.find() == Tracking("https://mlflow.example.org")

    def test_shows_no_password(self) -> None:
        tracking = Tracking("https://somebody:secret@mlflow.example.org:5000/x")
        assert tracking.shown == "https://mlflow.example.org:5000/x"

    def test_a_missing_store_is_not_made_by_looking(self, tmp_path: Path) -> None:
        with pytest.raises(EnvironmentProblem, match="matchcast train"):
            resolve("champion", Tracking.at(tmp_path / "none"))
        assert not (tmp_path / "none").exists()

    def test_a_file_of_another_kind_is_no_store(self, tmp_path: Path) -> None:
        (tmp_path / "mlflow.db").write_text("something else")
        with pytest.raises(EnvironmentProblem, match="no SQLite database"):
            resolve("champion", Tracking.at(tmp_path))


class TestStages:
    def test_are_the_usual_three(self) -> None:
        assert configured_stages() == ("champion", "candidate", "smoke")

    def test_are_those_of_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MLFLOW_MODEL_STAGES", " champion, nightly ,,champion")
        assert configured_stages() == ("champion", "nightly")


class TestResolve:
    def test_gives_version_run_metrics_and_last_day(self, trained: Trained, tracking: Tracking) -> None:
        at = resolve("champion", tracking)
        assert (at.name, at.version, at.run_id) == ("matchcast", trained.version, trained.run_id)
        assert at.metrics == pytest.approx(trained.metrics)
        assert at.trained_until == trained.trained_until

    def test_an_unknown_alias_names_those_that_exist(self, trained: Trained, tracking: Tracking) -> None:
        with pytest.raises(AliasUnknown, match=rf"'nobody'.*champion \(version {trained.version}\)"):
            resolve("nobody", tracking)

    def test_an_unknown_model_says_how_to_get_one(self, trained: Trained, tracking: Tracking) -> None:
        with pytest.raises(EnvironmentProblem, match="no model 'other'"):
            resolve("champion", tracking, name="other")

    def test_an_invalid_last_day_is_refused(self, trained: Trained, tracking: Tracking) -> None:
        register(tracking, Constant(), name="undated", tags={"trained_until": "last spring"})
        with pytest.raises(ReleaseRefused, match="last spring"):
            resolve("champion", tracking, name="undated")

    def test_a_version_without_a_last_day_has_none(self, trained: Trained, tracking: Tracking) -> None:
        register(tracking, Constant(), name="timeless")
        assert resolve("champion", tracking, name="timeless").trained_until is None


class TestLoad:
    def test_gives_probabilities_for_rows(self, champion: RegisteredModel) -> None:
        rows = np.array([[2, 0, 0], [0, 0, 0], [-2, 0, 0]], dtype=np.float32)

        probabilities = champion(rows)

        assert probabilities.shape == (3, 3)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1)
        assert probabilities[0, 0] > probabilities[1, 0] > probabilities[2, 0]

    def test_knows_its_inputs_and_when_it_stopped_learning(self, champion: RegisteredModel) -> None:
        assert champion.signature.names == FEATURES
        assert {column.type for column in champion.signature.inputs} == {"float"}
        assert isinstance(champion.at.trained_until, date)
        assert champion.example is not None
        assert list(champion.example.columns) == list(FEATURES)

    def test_a_version_without_a_signature_is_refused(self, trained: Trained, tracking: Tracking) -> None:
        register(tracking, Constant(), name="unsigned", inputs=None)
        with pytest.raises(SignatureMissing, match="unsigned version 1 has no signature"):
            load("champion", tracking, name="unsigned")

    @pytest.mark.parametrize(
        "inputs",
        [[("string", "team")], [("float", None)], [("datetime", "kickoff")]],
        ids=["text", "without a name", "a time"],
    )
    def test_a_signature_that_no_request_can_meet_is_refused(
        self, trained: Trained, tracking: Tracking, inputs: list[Any]
    ) -> None:
        name = f"odd-{inputs[0][0]}"
        register(tracking, Constant(), name=name, inputs=inputs)
        with pytest.raises(ReleaseRefused, match="cannot be served"):
            load("champion", tracking, name=name)

    def test_casts_rows_to_the_types_of_the_signature(self, trained: Trained, tracking: Tracking) -> None:
        kinds = [("float", "a"), ("double", "b"), ("integer", "c"), ("long", "d"), ("boolean", "e")]
        register(tracking, Constant(), name="typed", inputs=kinds)
        model = load("champion", tracking, name="typed")
        rows = np.array([[0.5, 1.5, 2, 3, 1]], dtype=np.float32)
        dtypes = [str(dtype) for dtype in typed_frame(model.signature, rows).dtypes]
        assert dtypes == ["float32", "float64", "int32", "int64", "bool"]
        assert model(rows).shape == (1, 3)
