"""refresh_snapshot: a snapshot of what is published, by the model that is published now."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from functions.refresh_snapshot.handler import lambda_handler
from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.bootstrap import batch_storage, releases
from matchcast.domain.manifests import (
    SNAPSHOT_MANIFEST_KEY,
    SnapshotManifest,
)
from matchcast.domain.task import utc_now
from matchcast.errors import ManifestInvalid, ModelUnavailable, ReleaseRaceLost, StageNotFound, StorageUnavailable
from matchcast_tools.dataset.upload import publish_dataset
from tests.support.batches import InMemoryBatches, InMemoryBatchQueue, InMemoryFiles
from tests.support.datasets import write_dataset
from tests.support.http_events import Context
from tests.support.linear_onnx import onnx_model, publish_model
from tests.support.logs import capture_logs
from tests.support.objects import keys
from tests.support.tasks import NOW

ROOT = Path(__file__).resolve().parents[4]
EVENT = json.loads((ROOT / "functions/refresh_snapshot/event.json").read_text())


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data"), played=120, fixtures=10)


@pytest.fixture
def objects(monkeypatch: pytest.MonkeyPatch, data_dir: Path) -> InMemoryObjects:
    """A bucket with a dataset and a model, which the function reads."""
    objects = InMemoryObjects()
    publish_dataset(objects, data_dir)
    publish_model(objects, "1", onnx_model(0.8))
    monkeypatch.setenv("DATA_BUCKET_NAME", "data")
    for name in ("TASKS_TABLE_NAME", "NORMAL_QUEUE_URL", "BATCHES_QUEUE_URL"):
        monkeypatch.setenv(name, "only a batch needs it")
    monkeypatch.setattr(releases, "objects", lambda: objects)
    return objects


def served(objects: InMemoryObjects) -> SnapshotManifest:
    stored = objects.get(SNAPSHOT_MANIFEST_KEY)
    assert stored is not None
    return SnapshotManifest.parse(stored.body, SNAPSHOT_MANIFEST_KEY)


def run(event: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = lambda_handler(event, Context())
    return answer


@pytest.mark.parametrize("event", [EVENT, {}], ids=["on schedule", "on demand"])
def test_publishes_a_snapshot_and_says_what_is_in_it(objects: InMemoryObjects, event: dict[str, Any]) -> None:
    answer = run(event)

    manifest = served(objects)
    assert answer["snapshot_id"] == manifest.snapshot_id
    assert (answer["model"], answer["bookmaker"]) == ("matchcast 1", "fonbet")
    assert answer["rows"] == {name: entry.rows for name, entry in manifest.files.items()}
    assert answer["rows"]["match_features.parquet"] == 130
    assert answer["seconds"] > 0


def test_follows_the_settings(objects: InMemoryObjects, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ODDS_BOOKMAKER", "bet365")
    monkeypatch.setenv("EDGE_THRESHOLD", "-1")
    assert run({})["rows"]["region_roi.parquet"] == 3
    assert served(objects).bookmaker == "bet365"
    monkeypatch.setenv("SNAPSHOT_STAGE", "nobody")
    with pytest.raises(StageNotFound, match="champion"):
        run({})


def test_a_model_published_a_moment_ago_makes_the_next_snapshot(objects: InMemoryObjects) -> None:
    run({})
    publish_model(objects, "2", onnx_model(0.5))
    assert run({})["model"] == "matchcast 2"
    assert served(objects).model.version == "2"


def test_garbage_in_place_of_the_model_keeps_the_snapshot(objects: InMemoryObjects) -> None:
    run({})
    before = served(objects)
    publish_model(objects, "2", b"garbage")
    with pytest.raises(ModelUnavailable, match="no ONNX model"):
        run({})
    assert served(objects) == before


def test_a_refusal_is_logged_and_ends_the_invocation(objects: InMemoryObjects, monkeypatch: pytest.MonkeyPatch) -> None:
    logged = capture_logs(monkeypatch)
    empty = InMemoryObjects()
    publish_model(empty, "1", onnx_model(1))
    monkeypatch.setattr(releases, "objects", lambda: empty)
    with pytest.raises(ManifestInvalid):
        run({})
    (line,) = logged.lines
    assert (line["level"], line["code"]) == ("ERROR", "manifest-invalid")


def test_logs_one_line(objects: InMemoryObjects, monkeypatch: pytest.MonkeyPatch) -> None:
    logged = capture_logs(monkeypatch)
    answer = run(EVENT)
    (line,) = logged.lines
    assert line["message"] == "snapshot published"
    assert line["snapshot_id"] == answer["snapshot_id"]


def test_predictions_that_a_batch_still_makes_are_no_error(
    objects: InMemoryObjects, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN a published snapshot, and a function that predicts ten matches at most
    run({})
    before = served(objects)
    batches, queue = InMemoryBatches(), InMemoryBatchQueue()
    for name, port in (("records", batches), ("queue", queue), ("files", InMemoryFiles(objects))):
        monkeypatch.setattr(batch_storage, name, lambda port=port: port)
    monkeypatch.setenv("SNAPSHOT_PREDICTIONS_AT_ONCE", "10")
    monkeypatch.setenv("TASK_LIFETIME_SECONDS", "7200")
    logged = capture_logs(monkeypatch)
    capsys.readouterr()
    # WHEN its time ends
    answer = run(EVENT)
    # THEN it says so
    [message] = queue.bodies
    batch = batches.get_many([message.batch_id])[message.batch_id]
    due = before.files["predictions.parquet"].rows
    pending = f"The batch {batch.batch_id} has made 0 of {due} predictions. The next refresh goes on."
    assert answer == {"pending": pending, "seconds": answer["seconds"]}
    [line] = logged.lines
    assert (line["level"], line["message"], line["detail"]) == ("INFO", "predictions pending", pending)
    (counted,) = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert counted["snapshots_pending_total"] == [1.0]
    # AND the last snapshot is served
    assert served(objects) == before
    # AND the batch has the model of the stage, and the lifetime of the stack
    assert batch.provenance.model == before.model
    assert batch.expires_at - batch.created_at == timedelta(hours=2)


def test_old_snapshots_are_removed_after_the_switch(objects: InMemoryObjects, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN three snapshots of a time long ago
    monkeypatch.setenv("SNAPSHOTS_KEPT", "2")
    objects.now = lambda: NOW - timedelta(days=300)
    for number in (1, 2, 3):
        objects.put(f"snapshots/2026010{number}T000000Z-00000000/predictions.parquet", b"")
    objects.now = utc_now
    logged = capture_logs(monkeypatch)
    # WHEN another is published
    answer = run({})
    # THEN it stays, and so do the newest before it and what it took the place of
    left = {key.split("/")[1] for key in keys(objects, "snapshots/")} - {"manifest.json"}
    assert left == {"20260103T000000Z-00000000", answer["snapshot_id"]}
    assert [(line["message"], line.get("objects")) for line in logged.lines] == [
        ("snapshot published", None),
        ("old snapshots removed", 2),
    ]


def test_a_removal_that_fails_is_counted_and_leaves_the_snapshot_published(
    objects: InMemoryObjects, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN thirty old snapshots, and a bucket that removes nothing
    objects.now = lambda: NOW - timedelta(days=300)
    for number in range(30):
        objects.put(f"snapshots/202601{number + 1:02d}T000000Z-00000000/predictions.parquet", b"")
    objects.now = utc_now

    def refuse(keys: Sequence[str]) -> None:
        raise StorageUnavailable(f"did not delete {len(keys)} objects")

    monkeypatch.setattr(objects, "delete", refuse)
    logged = capture_logs(monkeypatch)
    # WHEN
    answer = run({})

    # THEN
    assert served(objects).snapshot_id == answer["snapshot_id"]
    assert [(line["level"], line["message"]) for line in logged.lines] == [
        ("INFO", "snapshot published"),
        ("WARNING", "old snapshots stay"),
    ]
    (counted,) = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert counted["retention_errors_total"] == [1.0]


def test_a_refused_snapshot_is_counted_and_a_lost_race_is_not(
    objects: InMemoryObjects, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN
    def counted() -> list[str]:
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
        return [line["kind"] for line in lines if "release_problems_total" in line]

    # WHEN
    monkeypatch.setattr(objects, "switch", lambda *_: False)
    with pytest.raises(ReleaseRaceLost):
        run({})
    # THEN
    assert counted() == []
    # WHEN
    objects.delete([key for key in keys(objects, "datasets/") if key.endswith("odds.parquet")])
    with pytest.raises(ManifestInvalid):
        run({})
    # THEN
    assert counted() == ["snapshot"]
