"""Requests of on-demand predictions, answered by a predictor in this process."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from functions.predict_now.handler import lambda_handler
from matchcast.domain.prediction import Prediction, Subject
from matchcast.domain.task import Task
from matchcast.errors import MatchcastError, StageNotFound
from matchcast.messages import ModelInfo
from tests.support.documented import ask
from tests.support.http_events import Answer
from tests.support.releases import MATCHES, Release, published
from tests.support.tasks import NOW

MATCH = next(iter(MATCHES))
ARRIVED = datetime(2026, 3, 1, 12, 0, 0, 500_000, tzinfo=UTC)
BOTH_SCOPES = {"client_id": "north", "scope": "predictions/read predictions/write"}


class InProcess:
    """`Inference` by a predictor in this process."""

    def __init__(self) -> None:
        self.predictor = Release().predictor()
        self.deadlines: list[datetime] = []
        self.error: MatchcastError | None = None

    def predict(self, stage: str, subject: Subject, deadline: datetime) -> Prediction:
        self.deadlines.append(deadline)
        if self.error:
            raise self.error
        return self.predictor.predict_one(stage, subject)

    def run_task(self, task: Task, *, wait_until: datetime) -> Prediction:
        self.deadlines.append(wait_until)
        if self.error:
            raise self.error
        return self.predictor.predict_one(task.stage, task.subject)

    def model_info(self, stage: str, deadline: datetime) -> ModelInfo:
        if stage != "champion":
            raise StageNotFound("no such stage")
        one = published()
        loaded: dict[str, Any] = {"loaded_at": NOW, "snapshot_id": "s", "trained_until": None, "runtime": one.runtime}
        return ModelInfo(**one.ref(stage).model_dump(), **loaded, signature=one.signature, metrics=one.metrics)


def get(path: str, prefer: str | None = None, claims: Mapping[str, str] = BOTH_SCOPES, **query: Any) -> Answer:
    """Return the answer to a GET that arrived at `ARRIVED`."""
    headers = {"Prefer": prefer} if prefer else {}
    epoch = int(ARRIVED.timestamp() * 1000)
    return ask(lambda_handler, "GET", path, query=query, headers=headers, claims=claims, time_epoch=epoch)


def post(body: Any, **headers: str) -> Answer:
    """Return the answer to features posted at `ARRIVED`."""
    epoch = int(ARRIVED.timestamp() * 1000)
    return ask(lambda_handler, "POST", "/predict/", body=body, headers=headers, claims=BOTH_SCOPES, time_epoch=epoch)
