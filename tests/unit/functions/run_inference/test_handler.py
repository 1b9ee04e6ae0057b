"""The inference function: receives and direct questions."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from functions.run_inference.handler import lambda_handler
from matchcast.adapters.in_memory import InMemoryLanes, InMemorySpeeds, InMemoryTasks
from matchcast.bootstrap import inference, releases, table
from matchcast.domain.manifests import MODEL_MANIFEST_KEY, ModelManifest
from matchcast.domain.prediction import Prediction
from matchcast.domain.task import Priority, Task, TaskStatus, utc_now
from matchcast.messages import encode
from matchcast.predictions.predictor import Predictor
from matchcast.releases.readers import ManifestReader
from matchcast.releases.served_models import ServedModels
from matchcast.snapshots.features import FeatureRows
from matchcast.tasks.circuit_breaker import CircuitBreaker
from matchcast.tasks.help_high_lane import HelpHighLane
from matchcast.tasks.lane_speed import LaneSpeed
from matchcast.tasks.run import RunPredictions
from tests.support.http_events import Context
from tests.support.releases import MATCHES, SNAPSHOT_ID, Release, parse
from tests.support.tasks import a_task

MATCH = next(iter(MATCHES))


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> InMemoryTasks:
    release, store, speeds, lanes = Release(), InMemoryTasks(), InMemorySpeeds(), InMemoryLanes()
    predictor = release.predictor()
    served_models = ServedModels(release.models, release.objects, release.load)
    worker = RunPredictions(
        predictor=predictor,
        tasks=store,
        lanes=lanes,
        threads=ThreadPoolExecutor(2),
        now=utc_now,
        breaker=CircuitBreaker(),
        max_attempts=3,
    )
    monkeypatch.setattr(inference, "run_predictions", lambda: worker)
    monkeypatch.setattr(inference, "help_high_lane", lambda: HelpHighLane(worker, lanes))
    monkeypatch.setattr(inference, "predictor", lambda: predictor)
    monkeypatch.setattr(inference, "served_models", lambda: served_models)
    monkeypatch.setattr(releases, "snapshots", lambda: release.snapshots)
    monkeypatch.setattr(table, "lane_speed", lambda: LaneSpeed(speeds))
    names = {"matchcast-high": Priority.HIGH, "matchcast-normal": Priority.NORMAL}
    monkeypatch.setattr(inference, "lanes_by_queue_name", lambda: names)
    return store


def invoke(event: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = lambda_handler(event, Context())
    return answer


def record(body: Task | str, number: int, queue: str = "matchcast-normal") -> dict[str, Any]:
    return {
        "messageId": f"message-{number}",
        "receiptHandle": f"receipt-{number}",
        "body": body if isinstance(body, str) else encode(body),
        "attributes": {"ApproximateReceiveCount": "1"},
        "eventSourceARN": f"arn:aws:sqs:us-east-1:123456789012:{queue}",
    }


def fresh_task(**changes: Any) -> Task:
    now = utc_now()
    return a_task(**{"created_at": now, "expires_at": now + timedelta(hours=1), "match_id": MATCH, **changes})


def test_a_receive_that_succeeds_reports_no_failures(store: InMemoryTasks) -> None:
    tasks = [fresh_task() for _ in range(3)]

    answer = invoke({"Records": [record(task, n) for n, task in enumerate(tasks)]})

    assert answer == {"batchItemFailures": []}
    assert {task.status for task in store.get_many([t.task_id for t in tasks]).values()} == {TaskStatus.SUCCEEDED}


class Running(Context):
    """The context of an invocation whose time runs: every look at it is ten seconds later."""

    def __init__(self) -> None:
        object.__setattr__(self, "seconds", 70)

    def get_remaining_time_in_millis(self) -> int:
        object.__setattr__(self, "seconds", self.seconds - 10)  # type: ignore[attr-defined]
        return int(self.seconds * 1000)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("queue", "context", "helped"), [("normal", Context, 35), ("normal", Running, 20), ("high", Context, 0)]
)
def test_a_receive_of_the_normal_lane_leaves_half_of_its_time_to_the_high_one(
    store: InMemoryTasks, queue: str, context: type[Context], helped: int
) -> None:
    waiting = [fresh_task(priority=Priority.HIGH) for _ in range(35)]
    for task in waiting:
        inference.run_predictions()._settle._lanes.send(task)

    lambda_handler({"Records": [record(fresh_task(), 99, f"matchcast-{queue}")]}, context())

    assert len(store.get_many([task.task_id for task in waiting])) == helped


def test_what_was_done_for_the_high_lane_is_counted_like_any_other_receive(
    store: InMemoryTasks, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN tasks that have waited in the high lane for twenty seconds
    for _ in range(12):
        task = fresh_task(priority=Priority.HIGH, created_at=utc_now() - timedelta(seconds=20))
        inference.run_predictions()._settle._lanes.send(task)

    # WHEN a worker of the normal lane helps
    invoke({"Records": [record(fresh_task(), 1)]})

    # THEN the speed of their lane is theirs, and all are counted
    assert table.lane_speed().retry_after(Priority.HIGH) in (20, 21)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert sum(sum(line.get("prediction_requests_total", [])) for line in lines) == 13


def test_a_worker_whose_own_receive_failed_does_not_help(store: InMemoryTasks, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a task in the high lane, and a message of the normal one that cannot be buried
    waiting = fresh_task(priority=Priority.HIGH)
    lanes = inference.run_predictions()._settle._lanes
    lanes.send(waiting)

    def full(*_: object) -> None:
        raise bootstrap_error()

    monkeypatch.setattr(lanes, "bury", full)

    # WHEN that message is received
    answer = invoke({"Records": [record("no json", 1)]})

    # THEN what goes wrong here would go wrong there as well
    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-1"}]}
    assert store.get_many([waiting.task_id]) == {}


@pytest.mark.usefixtures("store")
def test_a_message_that_must_come_again_is_reported_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    class Full(InMemoryLanes):
        def bury(self, lane: str, body: str, cause: str | None, task_id: str | None) -> None:
            raise bootstrap_error()

    monkeypatch.setattr(inference.run_predictions()._settle, "_lanes", Full())

    # WHEN
    answer = invoke({"Records": [record(fresh_task(), 1), record("no json", 2, "matchcast-high")]})

    # THEN
    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-2"}]}


def bootstrap_error() -> Exception:
    from matchcast.errors import QueueUnavailable

    return QueueUnavailable("full")


def test_a_receive_publishes_how_long_the_tasks_of_its_lane_took(store: InMemoryTasks) -> None:
    invoke({"Records": [record(fresh_task(created_at=utc_now() - timedelta(seconds=20)), 1)]})

    assert table.lane_speed().retry_after(Priority.NORMAL) in (20, 21)


@pytest.mark.usefixtures("store")
def test_a_direct_question_is_answered_with_a_prediction() -> None:
    answer = invoke({"kind": "predict", "stage": "champion", "match_id": MATCH})

    prediction = Prediction.model_validate(answer["prediction"])
    assert (prediction.match_id, prediction.snapshot_id) == (MATCH, SNAPSHOT_ID)


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("question", "code"),
    [
        ({"kind": "predict", "stage": "champion", "match_id": "e0-2020-01-01-no-body"}, "match-not-found"),
        ({"kind": "predict", "stage": "nowhere", "match_id": MATCH}, "stage-not-found"),
        ({"kind": "predict", "stage": "champion", "features": {"form": 1}}, "invalid-request"),
        (
            {"kind": "predict", "stage": "champion", "match_id": MATCH, "deadline": "2020-01-01T00:00:00+00:00"},
            "deadline-exceeded",
        ),
        ({"kind": "model_info", "stage": "nowhere"}, "stage-not-found"),
    ],
)
def test_a_direct_question_that_has_no_answer_is_a_problem_and_no_crash(question: dict[str, Any], code: str) -> None:
    assert invoke(question)["problem"]["code"] == code


@pytest.mark.usefixtures("store")
def test_the_model_of_a_stage_is_described() -> None:
    model = invoke({"kind": "model_info", "stage": "champion"})["model"]

    assert (model["version"], model["runtime"], model["snapshot_id"]) == ("3", "onnx", SNAPSHOT_ID)
    assert (model["metrics"], model["problem"]) == ({"log_loss": 0.99}, None)


@pytest.mark.usefixtures("store")
def test_the_model_that_keeps_serving_says_why_a_newer_release_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a model that is served, and a newer release whose files are not there
    release = Release()
    models = ManifestReader(release.objects, MODEL_MANIFEST_KEY, ModelManifest, refresh_seconds=0)
    served_models = ServedModels(models, release.objects, release.load)
    rows = FeatureRows(release.snapshots, release.objects, parse)
    monkeypatch.setattr(inference, "served_models", lambda: served_models)
    monkeypatch.setattr(inference, "predictor", lambda: Predictor(served_models, rows, utc_now))
    invoke({"kind": "model_info", "stage": "champion"})
    manifest = models.current()
    newer = manifest.stages["champion"].model_copy(update={"version": "4", "prefix": "models/matchcast/4/"})
    refused = manifest.model_copy(update={"release": 2, "stages": {"champion": newer}})
    release.objects.put(MODEL_MANIFEST_KEY, refused.body())

    # WHEN
    model = invoke({"kind": "model_info", "stage": "champion"})["model"]

    # THEN
    assert (model["version"], model["problem"]["code"]) == ("3", "manifest-invalid")
    assert "models/" not in model["problem"]["detail"]


@pytest.mark.usefixtures("store")
def test_a_question_of_no_known_kind_is_an_error_of_the_caller() -> None:
    with pytest.raises(ValidationError):
        invoke({"kind": "guess"})
