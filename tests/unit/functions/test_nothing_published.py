"""On a stack where nothing was published yet every way of asking says so, and what its operator does about it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from functions.predict_now.handler import lambda_handler as predict_now
from functions.submit_prediction.handler import lambda_handler as submit_prediction
from matchcast.adapters.in_memory import InMemoryKeys, InMemoryLanes, InMemoryObjects, InMemorySpeeds, InMemoryTasks
from matchcast.bootstrap import predictions, tasks
from matchcast.domain.manifests import MODEL_MANIFEST_KEY, SNAPSHOT_MANIFEST_KEY, ModelManifest, SnapshotManifest
from matchcast.errors import Transient
from matchcast.messages import ProblemAnswer
from matchcast.predictions.predict_now import PredictNow
from matchcast.predictions.predictor import Predictor
from matchcast.predictions.result_cache import CachedResults
from matchcast.releases.readers import ManifestReader
from matchcast.releases.served_models import ServedModels
from matchcast.snapshots.features import FeatureRows, MatchIds
from matchcast.tasks.accept import AcceptTask
from matchcast.tasks.lane_speed import LaneSpeed
from matchcast.tasks.open_tasks import OpenTasks
from matchcast.tasks.submit import SubmitPrediction
from tests.support.documented import ask
from tests.support.http_events import Answer
from tests.support.on_demand import InProcess
from tests.support.releases import MATCHES, Release, artifact, parse, put_models
from tests.support.tasks import NOW

MATCH = next(iter(MATCHES))
CLAIMS = {"client_id": "north", "scope": "predictions/read predictions/write"}
WAYS: dict[str, tuple[Any, str, str, dict[str, Any]]] = {
    "at once": (predict_now, "GET", f"/predict/{MATCH}", {}),
    "preferably as a task": (predict_now, "GET", f"/predict/{MATCH}", {"headers": {"Prefer": "respond-async"}}),
    "as a task": (submit_prediction, "POST", "/predict/async/", {"body": {"match_id": MATCH}}),
}


class Crossing(InProcess):
    """An inference whose errors cross an invocation, as those of the real one do."""

    def predict(self, *arguments: Any) -> Any:
        try:
            return super().predict(*arguments)
        except Transient as error:
            raise ProblemAnswer.of(error).problem.error() from error


class Stack:
    """The functions that predict, over an empty bucket."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.objects, self.lanes, store = InMemoryObjects(), InMemoryLanes(), InMemoryTasks()
        models = ManifestReader(self.objects, MODEL_MANIFEST_KEY, ModelManifest, 30)
        snapshots = ManifestReader(self.objects, SNAPSHOT_MANIFEST_KEY, SnapshotManifest, 30)
        inference = Crossing()
        inference.predictor = Predictor(
            ServedModels(models, self.objects, Release().load),
            FeatureRows(snapshots, self.objects, parse),
            lambda: NOW,
        )
        submit = SubmitPrediction(
            accept=AcceptTask(
                tasks=store, lanes=self.lanes, keys=InMemoryKeys(), now=lambda: NOW, sleep=lambda _: None
            ),
            models=models,
            matches=MatchIds(snapshots, self.objects),
            open_tasks=OpenTasks(index=store, speed=LaneSpeed(InMemorySpeeds()), limit=10, now=lambda: NOW),
            lifetime=timedelta(hours=1),
        )
        results = CachedResults(
            cache=None,  # type: ignore[arg-type]  # nothing is asked for before the manifests are read
            models=models,
            snapshots=snapshots,
            now=lambda: NOW,
            lifetime=timedelta(hours=1),
            count=lambda _: None,
        )
        now = PredictNow(inference=inference, results=results, submit=lambda: submit, now=lambda: NOW)
        monkeypatch.setattr(predictions, "predict_now", lambda: now)
        monkeypatch.setattr(predictions, "sync_deadline", lambda: timedelta(seconds=28))
        monkeypatch.setattr(tasks, "submit_prediction", lambda: submit)

    def ask(self, way: str) -> Answer:
        """Ask in one of the ways."""
        handler, method, path, request = WAYS[way]
        return ask(handler, method, path, claims=CLAIMS, **request)


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Stack:
    return Stack(monkeypatch)


@pytest.mark.parametrize("way", WAYS)
def test_without_a_model_every_way_of_asking_says_that_none_was_published(stack: Stack, way: str) -> None:
    found = stack.ask(way)
    assert (found.status, found.json["type"]) == (503, "urn:matchcast:problem:model-not-published")
    assert "`matchcast publish`" in found.json["detail"]
    assert "again" not in found.json["detail"]
    assert stack.lanes.sent == []


@pytest.mark.parametrize("way", WAYS)
def test_with_a_model_alone_every_way_of_asking_says_that_no_snapshot_was_published(stack: Stack, way: str) -> None:
    put_models(stack.objects, {"champion": ("3", artifact("3"))})
    found = stack.ask(way)
    assert (found.status, found.json["type"]) == (503, "urn:matchcast:problem:snapshot-not-published")
    assert "`matchcast snapshot`" in found.json["detail"]
    assert stack.lanes.sent == []


@pytest.mark.parametrize("way", WAYS)
def test_a_manifest_that_cannot_be_read_is_no_stack_without_one(stack: Stack, way: str) -> None:
    stack.objects.put(MODEL_MANIFEST_KEY, b"{")
    assert stack.ask(way).json["type"] == "urn:matchcast:problem:model-unavailable"
