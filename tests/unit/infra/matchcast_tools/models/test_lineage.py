"""The lineage that comes with a version: where its run, its data and its libraries are named."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from matchcast.snapshots.dataset import FEATURES_FILE
from matchcast_tools.models.artifact import Exported
from matchcast_tools.models.tracking import Tracking
from matchcast_tools.models.train import Trained
from tests.support.mlflow_warnings import MLFLOW_WARNINGS

pytestmark = MLFLOW_WARNINGS


class TestLineage:
    def test_names_run_data_settings_scores_and_libraries(
        self, export_of: Callable[..., Exported], trained: Trained, data_dir: Path, tracking: Tracking
    ) -> None:
        # WHEN
        exported = export_of("matchcast")
        lineage = json.loads(exported.bodies["lineage.json"])
        # THEN
        assert "lineage.json" in exported.published.files
        assert (lineage["name"], lineage["version"], lineage["run_id"]) == (
            "matchcast",
            trained.version,
            trained.run_id,
        )
        assert lineage["source"] == f"models:/{lineage['model_id']}"
        assert lineage["params"]["rows"] == str(trained.rows)
        assert lineage["metrics"] == pytest.approx(trained.metrics)
        assert lineage["trained_from"] == trained.trained_from.isoformat()
        assert lineage["trained_until"] == trained.trained_until.isoformat()
        assert lineage["dataset"] == hashlib.sha256((data_dir / FEATURES_FILE).read_bytes()).hexdigest()
        assert lineage["flavors"] == ["python_function", "sklearn"]
        assert {"mlflow", "python", "sklearn"} <= set(lineage["libraries"])

    def test_is_the_same_each_time_and_another_one_gets_another_prefix(
        self, steady: Exported, export_of: Callable[..., Exported], tracking: Tracking
    ) -> None:
        first = export_of("matchcast")
        assert export_of("matchcast").bodies == first.bodies
        client = tracking.connect()
        client.set_model_version_tag("steady", "1", "reviewed", "yes")
        after = export_of("steady")
        client.delete_model_version_tag("steady", "1", "reviewed")
        assert json.loads(after.bodies["lineage.json"])["tags"] == {"reviewed": "yes"}
        assert after.published.prefix != steady.published.prefix

    def test_a_version_without_a_run_of_ours_has_gaps(self, steady: Exported) -> None:
        lineage = json.loads(steady.bodies["lineage.json"])
        assert lineage["dataset"] is None
        assert lineage["trained_from"] is None
        assert lineage["params"] == {}
