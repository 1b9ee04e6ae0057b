"""On-demand predictions as clients meet them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from functions.predict_now.handler import lambda_handler
from matchcast.adapters.in_memory import InMemoryLanes, InMemoryResults, InMemorySpeeds, InMemoryTasks
from matchcast.bootstrap import parts, predictions, table
from matchcast.domain.prediction import Prediction, Subject
from matchcast.domain.task import Priority, Task
from matchcast.errors import DeadlineExceeded, InferenceUnavailable, MatchcastError, StageNotFound
from matchcast.messages import ModelInfo
from matchcast.predictions.predict_now import SAFETY_NET_SECONDS, PredictNow
from matchcast.predictions.result_cache import CachedResults
from matchcast.tasks.lane_speed import LaneSpeed
from tests.support.documented import ask
from tests.support.http_events import Answer
from tests.support.releases import MATCHES, SIGNATURE, Release, published
from tests.support.submissions import a_submit
from tests.support.tasks import NOW

MATCH = next(iter(MATCHES))
ARRIVED = datetime(2026, 3, 1, 12, 0, 0, 500_000, tzinfo=UTC)


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


@pytest.fixture
def lanes() -> InMemoryLanes:
    return InMemoryLanes()


@pytest.fixture
def inference(monkeypatch: pytest.MonkeyPatch, lanes: InMemoryLanes) -> InProcess:
    inference, release, submit = InProcess(), Release(), a_submit(tasks=InMemoryTasks(), lanes=lanes)
    results = CachedResults(
        cache=InMemoryResults(),
        models=release.models,
        snapshots=release.snapshots,
        now=lambda: NOW,
        lifetime=timedelta(hours=1),
        count=lambda _: None,
    )
    use_case = PredictNow(inference=inference, results=results, submit=lambda: submit, now=lambda: ARRIVED)
    monkeypatch.setattr(predictions, "predict_now", lambda: use_case)
    monkeypatch.setattr(table, "lane_speed", lambda: LaneSpeed(InMemorySpeeds()))
    monkeypatch.setattr(parts, "now", lambda: ARRIVED)
    monkeypatch.setattr(predictions, "sync_deadline", lambda: timedelta(seconds=28))
    return inference


BOTH_SCOPES = {"client_id": "north", "scope": "predictions/read predictions/write"}


def get(path: str, prefer: str | None = None, claims: Mapping[str, str] = BOTH_SCOPES, **query: Any) -> Answer:
    headers = {"Prefer": prefer} if prefer else {}
    epoch = int(ARRIVED.timestamp() * 1000)
    return ask(lambda_handler, "GET", path, query=query, headers=headers, claims=claims, time_epoch=epoch)


def post(body: Any, **headers: str) -> Answer:
    epoch = int(ARRIVED.timestamp() * 1000)
    return ask(lambda_handler, "POST", "/predict/", body=body, headers=headers, claims=BOTH_SCOPES, time_epoch=epoch)


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_match_is_predicted_before_a_deadline_counted_from_its_arrival(inference: InProcess, slash: str) -> None:
    answer = get(f"/predict/{MATCH}{slash}")

    assert answer.status == 200
    assert answer.json["home"] + answer.json["draw"] + answer.json["away"] == pytest.approx(1, abs=1e-9)
    assert answer.json["match_id"] == MATCH
    assert inference.deadlines == [ARRIVED + timedelta(seconds=28)]


@pytest.mark.usefixtures("inference")
def test_the_same_features_by_get_and_by_post_give_the_same_probabilities() -> None:
    by_match = get(f"/predict/{MATCH}").json
    by_features = post({"features": dict(zip(SIGNATURE.names, MATCHES[MATCH], strict=True))}).json

    assert [by_match[k] for k in ("home", "draw", "away")] == [by_features[k] for k in ("home", "draw", "away")]
    assert (by_features["match_id"], by_features["snapshot_id"]) == (None, None)


@pytest.mark.usefixtures("inference")
@pytest.mark.parametrize("match_id", ["e0-2020-01-01-no-body", "predictions", "UPPER-2020-01-01-x", "batch"])
def test_an_unknown_match_is_a_404(match_id: str) -> None:
    assert get(f"/predict/{match_id}").status == 404


@pytest.mark.parametrize(
    ("path", "allow"),
    [("/predict/model/scorecard", "GET"), ("/predict/precomputed/x/", "GET"), ("/predict/async/x", "DELETE")],
)
def test_a_path_of_another_function_under_another_method_is_a_405(path: str, allow: str) -> None:
    # The gateway hands on whatever is posted below /predict/.
    answer = ask(lambda_handler, "POST", path, body={})

    assert (answer.status, answer.headers["allow"]) == (405, allow)
    assert ask(lambda_handler, "POST", "/predict/nothing/here", body={}).status == 404


@pytest.mark.usefixtures("inference")
def test_an_unknown_stage_is_a_404() -> None:
    assert get(f"/predict/{MATCH}", stage="nowhere").status == 404
    assert get("/predict/model/info", stage="nowhere").status == 404


@pytest.mark.usefixtures("inference")
@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ("no json", [""]),
        ({}, ["/features"]),
        ({"features": []}, ["/features"]),
        ({"features": {}}, ["/features/elo_difference", "/features/form"]),
        ({"features": {"elo_difference": True, "form": 1, "x": 2}}, ["/features/x", "/features/elo_difference"]),
    ],
)
def test_features_that_do_not_fit_are_a_422_with_pointers(body: Any, pointers: list[str]) -> None:
    answer = post(body)

    assert answer.status == 422
    assert [error["pointer"] for error in answer.json["errors"]] == pointers


@pytest.mark.parametrize(("error", "status"), [(DeadlineExceeded("late"), 504), (InferenceUnavailable("down"), 503)])
def test_what_the_service_could_not_do_is_a_problem_of_its_own(
    inference: InProcess, error: MatchcastError, status: int
) -> None:
    inference.error = error

    answer = get(f"/predict/{MATCH}")

    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")


@pytest.mark.usefixtures("inference")
@pytest.mark.parametrize("path", ["/predict/model/info", "/predict/model/info/"])
def test_the_model_of_a_stage_is_described(path: str) -> None:
    info = get(path).json

    assert (info["name"], info["version"], info["stage"]) == ("matchcast", "3", "champion")
    assert [column["name"] for column in info["signature"]["inputs"]] == list(SIGNATURE.names)


def test_a_client_that_prefers_a_task_gets_one_in_the_high_lane(inference: InProcess, lanes: InMemoryLanes) -> None:
    # WHEN
    answer = get(f"/predict/{MATCH}", prefer="respond-async")

    # THEN
    assert (answer.status, answer.headers["preference-applied"], answer.headers["vary"]) == (
        202,
        "respond-async",
        "Prefer",
    )
    assert answer.headers["location"] == answer.json["links"]["status"]
    ((lane, _, delay),) = lanes.sent
    assert (lane, delay, inference.deadlines) == (Priority.HIGH, 0, [])


def test_a_client_that_waits_gets_the_prediction_if_it_comes_in_time(
    inference: InProcess, lanes: InMemoryLanes
) -> None:
    answer = get(f"/predict/{MATCH}", prefer="wait=3, respond-async")

    assert (answer.status, answer.headers["preference-applied"]) == (200, "wait=3, respond-async")
    assert answer.json["match_id"] == MATCH
    assert inference.deadlines == [ARRIVED + timedelta(seconds=3)]
    assert [delay for _, _, delay in lanes.sent] == [SAFETY_NET_SECONDS]


@pytest.mark.parametrize("error", [DeadlineExceeded("late"), InferenceUnavailable("down")])
def test_a_client_whose_wait_has_ended_gets_the_task(
    inference: InProcess, lanes: InMemoryLanes, error: MatchcastError
) -> None:
    inference.error = error

    answer = get(f"/predict/{MATCH}", prefer="wait=3, respond-async")

    assert (answer.status, answer.json["status"]) == (202, "queued")
    assert len(lanes.sent) == 1


def test_waiting_alone_only_shortens_the_deadline(inference: InProcess, lanes: InMemoryLanes) -> None:
    get(f"/predict/{MATCH}", prefer="wait=5")
    post({"features": dict(zip(SIGNATURE.names, MATCHES[MATCH], strict=True))}, Prefer="wait=100")

    assert inference.deadlines == [ARRIVED + timedelta(seconds=5), ARRIVED + timedelta(seconds=28)]
    assert lanes.sent == []


def test_a_token_that_may_only_read_cannot_make_a_task(inference: InProcess, lanes: InMemoryLanes) -> None:
    answer = get(
        f"/predict/{MATCH}", prefer="respond-async", claims={"client_id": "north", "scope": "predictions/read"}
    )

    assert (answer.status, answer.json["title"]) == (403, "Token without the scope")
    assert lanes.sent == []


def test_the_same_key_makes_the_same_task_and_another_body_is_refused(
    inference: InProcess, lanes: InMemoryLanes
) -> None:
    # GIVEN
    features = dict(zip(SIGNATURE.names, MATCHES[MATCH], strict=True))
    headers = {"Prefer": "respond-async", "Idempotency-Key": '"k1"'}

    # WHEN
    first, again = post({"features": features}, **headers), post({"features": features}, **headers)
    other = post({"features": {**features, "form": 9.0}}, **headers)

    # THEN
    assert (first.status, again.status, other.status) == (202, 202, 422)
    assert first.json["task_id"] == again.json["task_id"]
    assert [error["header"] for error in other.json["errors"]] == ["Idempotency-Key"]
    assert len(lanes.sent) == 1


def test_a_prediction_of_a_match_is_cached_and_says_so(inference: InProcess) -> None:
    first, second = get(f"/predict/{MATCH}").json, get(f"/predict/{MATCH}").json

    assert (first.pop("cached"), second.pop("cached")) == (False, True)
    assert first == second
    assert len(inference.deadlines) == 1


def test_a_gateway_whose_clock_is_ahead_gives_no_client_more_time(
    inference: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = ARRIVED - timedelta(hours=1)
    monkeypatch.setattr(parts, "now", lambda: earlier)

    get(f"/predict/{MATCH}")

    assert inference.deadlines == [earlier + timedelta(seconds=28)]
