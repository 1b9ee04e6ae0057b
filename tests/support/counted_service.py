"""Every function that answers or ends predictions, over one table, and what they count."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import boto3

from functions.predict_now.handler import lambda_handler as predict_now
from functions.run_inference.handler import lambda_handler as run_inference
from functions.submit_prediction.handler import lambda_handler as submit_prediction
from functions.track_tasks.handler import lambda_handler as track_tasks
from matchcast.adapters.counted_tasks import CountedTasks
from matchcast.adapters.dynamodb_tasks import DynamoDBTasks
from matchcast.adapters.in_memory import InMemoryLanes, InMemoryResults, InMemorySpeeds
from matchcast.adapters.lambda_inference import LambdaInference
from matchcast.batches.sweep import SweepBatchLetters
from matchcast.domain.task import Priority, utc_now
from matchcast.observability import count_task
from matchcast.predictions.predict_now import PredictNow
from matchcast.predictions.result_cache import CachedResults
from matchcast.releases.served_models import ServedModels
from matchcast.tasks.circuit_breaker import CircuitBreaker
from matchcast.tasks.help_high_lane import HelpHighLane
from matchcast.tasks.lane_speed import LaneSpeed
from matchcast.tasks.retry import RetryTask
from matchcast.tasks.run import RunPredictions
from matchcast.tasks.sweep import SweepDeadLetters
from matchcast.tasks.track import TrackTasks
from tests.support.batches import InMemoryBatches
from tests.support.documented import ask
from tests.support.http_events import Context
from tests.support.lambda_client import HandlerClient
from tests.support.parts import put
from tests.support.releases import MATCHES, Release
from tests.support.submissions import a_submit
from tests.support.template import deploy_storage

if TYPE_CHECKING:
    import pytest

CLAIMS = {"client_id": "north", "scope": "predictions/read predictions/write"}
MATCH = next(iter(MATCHES))
Count = tuple[str, str, str]


class Service:
    """Every function that answers or ends predictions, over one table, and what they count."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        names, dynamodb, release = deploy_storage(boto3.session.Session()), boto3.client("dynamodb"), Release()
        self._capsys, self.lanes, self.model = capsys, InMemoryLanes(), release.model
        plain = DynamoDBTasks(dynamodb, names["TasksTableName"], 2)
        self.tasks = CountedTasks(dynamodb, names["TasksTableName"], 2, count_task)
        submit = a_submit(tasks=plain, lanes=self.lanes, now=utc_now)  # type: ignore[arg-type]
        track = TrackTasks(self.tasks, plain, utc_now)
        worker = RunPredictions(
            predictor=release.predictor(),
            tasks=plain,
            lanes=self.lanes,
            threads=ThreadPoolExecutor(2),
            breaker=CircuitBreaker(),
            now=utc_now,
            max_attempts=3,
        )
        results = CachedResults(
            cache=InMemoryResults(),
            models=release.models,
            snapshots=release.snapshots,
            now=utc_now,
            lifetime=timedelta(hours=1),
            count=lambda _: None,
        )
        client: Any = HandlerClient(run_inference)
        inference = LambdaInference(client, "inference", utc_now)
        parts = {
            "tasks.submit_prediction": submit,
            "tasks.track_tasks": track,
            "tasks.retry_task": RetryTask(track, submit),
            "sweeps.sweep_batch_letters": SweepBatchLetters(InMemoryLanes(), InMemoryBatches(), utc_now),
            "sweeps.sweep_dead_letters": SweepDeadLetters(self.lanes, self.tasks, utc_now),
            "predictions.predict_now": PredictNow(
                inference=inference, results=results, submit=lambda: submit, now=utc_now
            ),
            "predictions.sync_deadline": timedelta(seconds=28),
            "inference.run_predictions": worker,
            "inference.predictor": release.predictor(),
            "inference.served_models": ServedModels(release.models, release.objects, release.load),
            "inference.help_high_lane": HelpHighLane(worker, InMemoryLanes()),
            "inference.lanes_by_queue_name": {"high": Priority.HIGH, "normal": Priority.NORMAL},
            "table.lane_speed": LaneSpeed(InMemorySpeeds()),
        }
        put(monkeypatch.setattr, parts)

    def get(self, path: str, prefer: str | None = None, **query: str) -> int:
        headers = {"Prefer": prefer} if prefer else {}
        epoch = int(utc_now().timestamp() * 1000)
        answer = ask(predict_now, "GET", path, query=query, headers=headers, claims=CLAIMS, time_epoch=epoch)
        return answer.status

    def submit(self, key: str | None = None, claims: Mapping[str, str] = CLAIMS, **body: Any) -> str:
        headers = {"Idempotency-Key": key} if key else {}
        content = {"match_id": MATCH, **body}
        answer = ask(submit_prediction, "POST", "/predict/async/", body=content, headers=headers, claims=claims)
        return str(answer.json.get("task_id", answer.status))

    def post(self, body: Any, **headers: str) -> int:
        epoch = int(utc_now().timestamp() * 1000)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return ask(predict_now, "POST", "/predict/", body=body, headers=given, claims=CLAIMS, time_epoch=epoch).status

    def track(self, method: str, path: str, **headers: str) -> Any:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return ask(track_tasks, method, path, headers=given, claims=CLAIMS).json

    def receive(self, *bodies: str) -> None:
        """Hand messages to the worker as one receive; without any, all that were sent."""
        sent = bodies or tuple(body for _, body, _ in self.lanes.sent)
        records = [
            {
                "messageId": str(number),
                "receiptHandle": str(number),
                "body": body,
                "attributes": {"ApproximateReceiveCount": "1"},
                "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:normal",
            }
            for number, body in enumerate(sent)
        ]
        run_inference({"Records": records}, Context())

    def lines(self) -> list[dict[str, Any]]:
        """Return the metrics since the last look."""
        found = [line for line in self._capsys.readouterr().out.splitlines() if '"_aws"' in line]
        return [json.loads(line) for line in found]

    def counted(self) -> list[Count]:
        """Return what was counted since the last look, each as often as it was counted."""
        return [
            (line["source"], line["stage"], line["outcome"])
            for line in self.lines()
            for _ in range(int(sum(line.get("prediction_requests_total", [0]))))
        ]
