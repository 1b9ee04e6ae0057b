"""`matchcast snapshot` removes old datasets when it is done, and is done even if it cannot."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from matchcast.adapters.s3_objects import S3Objects
from matchcast.errors import StorageUnavailable
from matchcast.releases import retention
from matchcast_tools.stack.bucket import open_bucket
from matchcast_tools.stack.deployed import Stack
from tests.support.mlflow_warnings import MLFLOW_WARNINGS
from tests.support.objects import keys

pytestmark = MLFLOW_WARNINGS


@pytest.fixture
def old(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Put datasets into the bucket that are long out of use by the clock of the removal, and return their keys."""
    later = datetime.now(UTC) + timedelta(days=1)
    monkeypatch.setattr(retention, "datetime", type("Later", (), {"now": staticmethod(lambda _: later)}))
    bucket = open_bucket(stack)
    names = [f"datasets/2020010{day}T000000Z-00000000/matches.parquet" for day in range(1, 8)]
    for name in names:
        bucket.put(name, b"")
    return names


@pytest.mark.usefixtures("trained")
def test_old_datasets_are_removed_once_the_new_one_is_in_use(
    matchcast: Any, stack: Stack, data_dir: Path, old: list[str]
) -> None:
    # GIVEN a stack with a model
    matchcast("publish", "--data", data_dir)
    # WHEN a snapshot is made
    made = json.loads(matchcast("snapshot", "--data", data_dir, "--json").stdout)
    # THEN the newest datasets are there, and with them the one that the manifest names
    left = {key.split("/")[1] for key in keys(open_bucket(stack), "datasets/")} - {"manifest.json"}
    assert left == {made["dataset_id"], *(key.split("/")[1] for key in old[-4:])}


@pytest.mark.usefixtures("trained")
def test_old_datasets_that_cannot_be_removed_are_reported_and_are_no_failure(
    matchcast: Any, stack: Stack, data_dir: Path, old: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a bucket that deletes nothing
    def refuse(*_: Any) -> None:
        raise StorageUnavailable("The data bucket data did not delete 2 of 2 objects.")

    matchcast("publish", "--data", data_dir)
    monkeypatch.setattr(S3Objects, "delete", refuse)
    # WHEN
    ran = matchcast("snapshot", "--data", data_dir, "--json")

    # THEN
    assert (ran.exception, ran.exit_code) == (None, 0)
    assert json.loads(ran.stdout)["snapshot_id"]
    assert "Old datasets were not removed: The data bucket data did not delete" in ran.stderr
    assert set(old) <= set(keys(open_bucket(stack), "datasets/"))
