"""The six functions of the API over parts in memory, which refuse what the services on AWS refuse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from functions.manage_batches.handler import lambda_handler as manage_batches
from functions.manage_webhooks.handler import lambda_handler as manage_webhooks
from functions.predict_now.handler import lambda_handler as predict_now
from functions.serve_predictions.handler import lambda_handler as serve_predictions
from functions.submit_prediction.handler import lambda_handler as submit_prediction
from functions.track_tasks.handler import lambda_handler as track_tasks
from matchcast.adapters.in_memory import InMemoryKeys, InMemoryLanes, InMemoryResults, InMemorySpeeds, InMemoryTasks
from matchcast.domain.prediction import Prediction, Subject
from matchcast.domain.task import Priority, Task, TaskStatus
from matchcast.domain.webhook import SecretRecord
from matchcast.errors import DeadlineExceeded, StorageUnavailable
from matchcast.messages import PredictRequest, encode
from matchcast.observability import logger
from matchcast.predictions.predict_now import PredictNow
from matchcast.predictions.result_cache import CachedResults
from matchcast.tasks.lane_speed import LaneSpeed
from matchcast.tasks.retry import RetryTask
from matchcast.tasks.track import TrackTasks
from tests.fuzz.batches import BatchesWorld
from tests.support.logs import Logged
from tests.support.managed_webhooks import ManagedWebhooks
from tests.support.on_demand import InProcess
from tests.support.parts import put
from tests.support.releases import MATCHES, Release
from tests.support.serving import Service
from tests.support.snapshots import put_snapshot
from tests.support.submissions import a_submit
from tests.support.tasks import NOW, a_prediction, a_task

TENANT = "north"
MATCH = next(iter(MATCHES))
CALLBACK = "https://client.net/hook"
LONGEST_KEY_BYTES = 2_048
LONGEST_MESSAGE_BYTES = 262_144
LONGEST_ITEM_BYTES = 400_000
HANDLERS: Mapping[str, Any] = {
    "manage_batches": manage_batches,
    "manage_webhooks": manage_webhooks,
    "serve_predictions": serve_predictions,
    "predict_now": predict_now,
    "submit_prediction": submit_prediction,
    "track_tasks": track_tasks,
}


class Table(InMemoryTasks):
    """A table that refuses keys and items of the sizes that DynamoDB refuses."""

    def get_many(self, task_ids: Sequence[str]) -> Mapping[str, Task]:
        for task_id in task_ids:
            if not 0 < len(f"task#{task_id}".encode()) <= LONGEST_KEY_BYTES:
                raise refusal("The tasks table")
        return super().get_many(task_ids)

    def create(self, task: Task) -> bool:
        if len(task.model_dump_json()) > LONGEST_ITEM_BYTES:
            raise refusal("The tasks table")
        return super().create(task)


class Lanes(InMemoryLanes):
    """Lanes that refuse a message of the size that SQS refuses."""

    def send(self, task: Task, delay_seconds: int = 0) -> None:
        if len(encode(task).encode()) > LONGEST_MESSAGE_BYTES:
            raise refusal("The queue")
        super().send(task, delay_seconds)


class Inference(InProcess):
    """`Inference` in this process that keeps deadlines and, as an invocation does, sends its request as JSON."""

    def predict(self, stage: str, subject: Subject, deadline: datetime) -> Prediction:
        if deadline <= NOW:
            raise DeadlineExceeded("late")
        features = None if subject.features is None else dict(subject.features)
        PredictRequest(stage=stage, match_id=subject.match_id, features=features).model_dump_json().encode()
        return self.predictor.predict_one(stage, subject)

    def run_task(self, task: Task, *, wait_until: datetime) -> Prediction:
        if wait_until <= NOW:
            raise DeadlineExceeded("late")
        return self.predictor.predict_one(task.stage, task.subject)


@dataclass
class World:
    """What the handlers share while cases run, and what they logged in the present one."""

    table: Table
    lanes: Lanes
    logged: Logged
    batches: BatchesWorld
    webhooks: ManagedWebhooks
    task_ids: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()

    def begin(self) -> None:
        """Forget what earlier cases made, so that each case can be repeated alone."""
        self.table._tasks.clear()
        self.lanes.sent.clear()
        self.batches.begin()
        self.logged.seek(0)
        self.logged.truncate()
        tasks = [
            a_task(task_id=TASK_IDS[0]),
            a_task(task_id=TASK_IDS[1], status=TaskStatus.SUCCEEDED, result=a_prediction(), completed_at=NOW),
            a_task(
                task_id=TASK_IDS[2],
                status=TaskStatus.FAILED,
                completed_at=NOW,
                priority=Priority.HIGH,
                callback_url=CALLBACK,
            ),
            a_task(task_id=TASK_IDS[3], expires_at=NOW),
        ]
        for task in tasks:
            self.table.create(task)
        self.webhooks.forget()
        self.webhooks.record(tasks[2])
        self.webhooks.endpoints.failed(TENANT, CALLBACK, NOW)
        self.webhooks.secrets.add(TENANT, SecretRecord(secret_id=TASK_IDS[0], created_at=NOW), b"x" * 32)


TASK_IDS = tuple(f"019cb2d1-7c00-7000-8000-{number:012x}" for number in range(4))


def refusal(what: str) -> StorageUnavailable:
    """Return the error of a call that the service refuses, which is a fault of the product."""
    error = StorageUnavailable(f"{what} refused the call (ValidationException).")
    error.is_defect = True
    return error


@contextmanager
def running() -> Iterator[World]:
    """Have the handlers run over parts in memory."""
    with pytest.MonkeyPatch.context() as patch:
        service = Service(patch)
        put_snapshot(service.objects)
        table, batches = Table(), BatchesWorld(patch)
        webhooks = ManagedWebhooks(patch.setattr, table, batches.records)
        world = World(table, Lanes(), Logged(), batches, webhooks)
        patch.setattr(logger.registered_handler, "stream", world.logged)
        release, speed = Release(), LaneSpeed(InMemorySpeeds())
        # Keys are not kept from case to case, and no case sends a request twice.
        submit = a_submit(tasks=world.table, lanes=world.lanes, keys=InMemoryKeys())
        track = TrackTasks(world.table, world.table, lambda: NOW)
        results = CachedResults(
            cache=InMemoryResults(),
            models=release.models,
            snapshots=release.snapshots,
            now=lambda: NOW,
            lifetime=timedelta(0),
            count=lambda _: None,
        )
        on_demand = PredictNow(inference=Inference(), results=results, submit=lambda: submit, now=lambda: NOW)
        made = {
            "tasks.submit_prediction": submit,
            "tasks.track_tasks": track,
            "tasks.retry_task": RetryTask(track, submit),
            "predictions.predict_now": on_demand,
            "predictions.sync_deadline": timedelta(seconds=28),
            "table.lane_speed": speed,
            "parts.now": NOW,
        }
        put(patch.setattr, made)
        yield world
