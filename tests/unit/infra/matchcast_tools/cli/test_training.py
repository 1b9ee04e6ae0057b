"""`matchcast train | publish | snapshot`, from arguments to answers, against a bucket."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import boto3
import pytest

from matchcast.errors import AliasUnknown, ManifestInvalid
from matchcast_tools.cli import output
from matchcast_tools.errors import BadInput, EnvironmentProblem, exit_code
from matchcast_tools.models.train import Trained
from matchcast_tools.stack.deployed import Stack
from tests.support.mlflow_warnings import MLFLOW_WARNINGS

pytestmark = MLFLOW_WARNINGS


def test_trains_publishes_and_makes_a_snapshot(matchcast: Any, stack: Stack, trained: Trained, data_dir: Path) -> None:
    published = json.loads(matchcast("publish", "--data", data_dir, "--json").stdout)
    assert published["stages"]["champion"]["version"] == trained.version
    assert published["is_new"]

    made = json.loads(matchcast("snapshot", "--data", data_dir, "--json").stdout)
    assert made["model"] == f"matchcast {trained.version}"
    assert made["rows"]["match_features.parquet"] == 630
    assert made["dataset_id"]


def test_shows_the_same_to_people(matchcast: Any, stack: Stack, trained: Trained, data_dir: Path) -> None:
    published = matchcast("publish", "--data", data_dir)
    assert "release 1 published" in published.stdout
    assert "champion" in published.stdout
    assert f"version {trained.version} and its export agree within" in published.stdout
    assert "release 1 is published already" in matchcast("publish", "--data", data_dir).stdout
    assert "predictions.parquet" in matchcast("snapshot", "--data", data_dir).stdout


def test_says_that_the_data_lack_the_book_that_is_shown(
    matchcast: Any, stack: Stack, trained: Trained, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    matchcast("publish", "--data", data_dir)
    printed: list[str] = []
    monkeypatch.setattr(output.notes, "print", lambda text, **_: printed.append(text))
    matchcast("snapshot", "--data", data_dir)
    assert printed == []
    monkeypatch.setenv("ODDS_BOOKMAKER", "pinnacle")
    matchcast("snapshot", "--data", data_dir)
    assert "no odds of pinnacle" in printed[0]


def test_trains_on_a_window_under_other_aliases(matchcast: Any, trained: Trained, data_dir: Path) -> None:
    options = ("--from", "2022-09-01", "--until", "2024-05-31", "--alias", "x-one", "--alias", "x-two")
    said = json.loads(matchcast("train", "--data", data_dir, *options, "--json").stdout)
    assert said["aliases"] == ["x-one", "x-two"]
    assert date.fromisoformat(said["trained_from"]) >= date(2022, 9, 1)
    assert date.fromisoformat(said["trained_until"]) <= date(2024, 5, 31)
    shown = matchcast("train", "--data", data_dir, "--hold-out-last-season", "--alias", "x-three")
    assert "log_loss" in shown.stdout


def test_publishes_one_stage_and_leaves_the_others(
    matchcast: Any, stack: Stack, trained: Trained, data_dir: Path
) -> None:
    matchcast("publish", "--data", data_dir, "--stage", "champion")
    said = json.loads(matchcast("publish", "--data", data_dir, "--stage", "smoke", "--json").stdout)
    assert set(said["stages"]) == {"champion", "smoke"}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["publish", "--stage", "nobody"], (AliasUnknown, 4)),
        (["train", "--data", "nowhere"], (BadInput, 2)),
        (["snapshot", "--data", "nowhere"], (BadInput, 2)),
    ],
)
def test_what_goes_wrong_ends_with_its_exit_code(
    matchcast: Any, stack: Stack, trained: Trained, arguments: list[str], expected: Any
) -> None:
    raised = matchcast(*arguments).exception
    assert (type(raised), exit_code(raised)) == expected


def test_a_missing_bucket_is_reported_before_anything_is_done(
    matchcast: Any, stack: Stack, trained: Trained, data_dir: Path
) -> None:
    boto3.client("s3").delete_bucket(Bucket="data")
    for command in ("publish", "snapshot"):
        raised = matchcast(command, "--data", data_dir).exception
        assert isinstance(raised, EnvironmentProblem)
        assert "data bucket data" in str(raised)


def test_a_snapshot_before_any_model_says_what_is_missing(matchcast: Any, stack: Stack, data_dir: Path) -> None:
    raised = matchcast("snapshot", "--data", data_dir).exception
    assert not isinstance(raised, ManifestInvalid)
    assert "nothing has been published" in str(raised)
