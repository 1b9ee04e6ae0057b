"""Features in the bodies of POST /predict/ and POST /predict/async/, against the signature of the served version."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import jsonschema
import numpy as np
import pytest

from functions.predict_now.handler import lambda_handler as predict_now
from functions.submit_prediction.handler import lambda_handler as submit_prediction
from matchcast.adapters.in_memory import InMemoryKeys, InMemoryLanes, InMemoryResults, InMemorySpeeds, InMemoryTasks
from matchcast.domain.manifests import MODEL_MANIFEST_KEY, ModelManifest
from matchcast.domain.prediction import Prediction, Subject
from matchcast.domain.signature import Column, Signature
from matchcast.domain.task import Task
from matchcast.messages import ModelInfo
from matchcast.predictions.predict_now import PredictNow
from matchcast.predictions.predictor import Predictor
from matchcast.predictions.result_cache import CachedResults
from matchcast.releases.readers import ManifestReader
from matchcast.snapshots.features import MatchIds
from matchcast.tasks.accept import AcceptTask
from matchcast.tasks.lane_speed import LaneSpeed
from matchcast.tasks.open_tasks import OpenTasks
from matchcast.tasks.submit import SubmitPrediction
from tests.support.documented import ask
from tests.support.http_events import Answer
from tests.support.parts import put
from tests.support.releases import Release, published
from tests.support.tasks import NOW

SIGNATURE = Signature(
    inputs=(
        Column(name="elo", type="float"),
        Column(name="rest/days", type="long"),
        Column(name="matches", type="integer", required=False),
        Column(name="derby", type="boolean"),
        Column(name="form", type="double", required=False),
    )
)
GOOD: dict[str, Any] = {"elo": 1500.5, "rest/days": 3, "matches": 12, "derby": True, "form": None}
CLAIMS = {"client_id": "north", "scope": "predictions/read predictions/write"}


class InProcess:
    """`Inference` by a predictor in this process."""

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor

    def predict(self, stage: str, subject: Subject, deadline: datetime) -> Prediction:
        return self.predictor.predict_one(stage, subject)

    def run_task(self, task: Task, *, wait_until: datetime) -> Prediction:
        return self.predictor.predict_one(task.stage, task.subject)

    def model_info(self, stage: str, deadline: datetime) -> ModelInfo:
        raise NotImplementedError


class Served:
    """Both functions over a release whose signature has a column of every kind."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = 0.0
        self.release = Release()
        self.release.models = ManifestReader(
            self.release.objects, MODEL_MANIFEST_KEY, ModelManifest, 30, lambda: self.seconds
        )
        self.release.model.answer = np.array([[0.5, 0.3, 0.2]], np.float32)
        self.serve(SIGNATURE)
        self.tasks, self.lanes, speed = InMemoryTasks(), InMemoryLanes(), LaneSpeed(InMemorySpeeds())
        submit = SubmitPrediction(
            accept=AcceptTask(
                tasks=self.tasks, lanes=self.lanes, keys=InMemoryKeys(), now=lambda: NOW, sleep=lambda _: None
            ),
            models=self.release.models,
            matches=MatchIds(self.release.snapshots, self.release.objects),
            open_tasks=OpenTasks(index=self.tasks, speed=speed, limit=10, now=lambda: NOW),
            lifetime=timedelta(hours=1),
        )
        results = CachedResults(
            cache=InMemoryResults(),
            models=self.release.models,
            snapshots=self.release.snapshots,
            now=lambda: NOW,
            lifetime=timedelta(hours=1),
            count=lambda _: None,
        )
        predict = PredictNow(
            inference=InProcess(self.release.predictor()), results=results, submit=lambda: submit, now=lambda: NOW
        )
        made = {
            "tasks.submit_prediction": submit,
            "predictions.predict_now": predict,
            "predictions.sync_deadline": timedelta(seconds=28),
            "table.lane_speed": speed,
            "parts.now": NOW,
        }
        put(monkeypatch.setattr, made)

    def serve(self, signature: Signature) -> None:
        """Publish a champion with another signature."""
        model = published().model_copy(update={"signature": signature})
        manifest = ModelManifest(release=2, published_at=NOW, stages={"champion": model})
        self.release.objects.put(MODEL_MANIFEST_KEY, manifest.body())
        self.seconds += 31

    def post(self, way: str, features: Mapping[str, Any]) -> Answer:
        """Send features in one of the ways that take them."""
        handler, path, headers = {
            "at once": (predict_now, "/predict/", {}),
            "preferably as a task": (predict_now, "/predict/", {"Prefer": "respond-async"}),
            "as a task": (submit_prediction, "/predict/async/", {}),
        }[way]
        epoch = int(NOW.timestamp() * 1000)
        body = {"features": features}
        return ask(handler, "POST", path, body=body, headers=headers, claims=CLAIMS, time_epoch=epoch)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Served:
    return Served(monkeypatch)


every_way = pytest.mark.parametrize("way", ["at once", "preferably as a task", "as a task"])


@every_way
def test_features_that_fit_are_taken(served: Served, way: str) -> None:
    assert served.post(way, GOOD).status == (200 if way == "at once" else 202)
    assert len(served.lanes.sent) == (0 if way == "at once" else 1)


@every_way
@pytest.mark.parametrize(
    ("changes", "pointers"),
    [
        ({"elo": "1500"}, ["/features/elo"]),
        ({"elo": None}, ["/features/elo"]),
        ({"elo": 1e39}, ["/features/elo"]),
        ({"rest/days": 2.5}, ["/features/rest~1days"]),
        ({"rest/days": None}, ["/features/rest~1days"]),
        ({"matches": None}, ["/features/matches"]),
        ({"matches": 2**31}, ["/features/matches"]),
        ({"derby": 1}, ["/features/derby"]),
        ({"form": [1]}, ["/features/form"]),
        ({"weather": 1}, ["/features/weather"]),
        ({"elo": {}, "derby": "yes", "weather": 1}, ["/features/weather", "/features/elo", "/features/derby"]),
    ],
)
def test_features_that_do_not_fit_are_a_422_at_once_with_a_pointer_each(
    served: Served, way: str, changes: dict[str, Any], pointers: list[str]
) -> None:
    answer = served.post(way, {**GOOD, **changes})

    assert (answer.status, answer.headers["content-type"]) == (422, "application/problem+json")
    assert [error["pointer"] for error in answer.json["errors"]] == pointers
    assert all(error["detail"] for error in answer.json["errors"])
    assert served.lanes.sent == []
    assert not jsonschema.Draft202012Validator(SIGNATURE.json_schema()).is_valid({**GOOD, **changes})


@every_way
def test_each_feature_that_is_missing_is_named_and_one_that_may_be_absent_is_not(served: Served, way: str) -> None:
    answer = served.post(way, {})

    assert [error["pointer"] for error in answer.json["errors"]] == [
        "/features/elo",
        "/features/rest~1days",
        "/features/derby",
    ]


@every_way
def test_it_is_the_signature_of_the_version_that_is_served_now(served: Served, way: str) -> None:
    assert served.post(way, GOOD).status < 300
    served.serve(Signature(inputs=(*SIGNATURE.inputs, Column(name="momentum", type="float"))))
    answer = served.post(way, GOOD)

    assert answer.status == 422
    assert [error["pointer"] for error in answer.json["errors"]] == ["/features/momentum"]
