"""On-demand predictions, descriptions of models and problems as clients meet them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from functions.predict_now.handler import lambda_handler
from matchcast.bootstrap import parts, predictions
from matchcast.errors import DeadlineExceeded, InferenceUnavailable, MatchcastError
from tests.support.documented import ask
from tests.support.on_demand import ARRIVED, MATCH, InProcess, get, post
from tests.support.releases import MATCHES, SIGNATURE, Release


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
@pytest.mark.parametrize("match_id", ["e0-2020-01-01-no-body", "tasks", "UPPER-2020-01-01-x", "batches"])
def test_an_unknown_match_is_a_404(match_id: str) -> None:
    assert get(f"/predict/{match_id}").status == 404


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/predict/model/scorecard", "GET, HEAD"),
        (f"/predict/precomputed/{MATCH}/", "GET, HEAD"),
        ("/predict/async/0198c0de-0000-7000-8000-000000000001", "DELETE"),
        ("/predict/batch/0198c0de-0000-7000-8000-000000000001", "DELETE, GET, HEAD"),
    ],
)
def test_a_path_of_another_function_under_another_method_is_a_405(path: str, allow: str) -> None:
    # The gateway hands on whatever is posted below /predict/.
    answer = ask(lambda_handler, "POST", path, body={})

    assert (answer.status, answer.headers["allow"]) == (405, allow)
    assert ask(lambda_handler, "POST", "/predict/nothing/here", body={}).status == 404


@pytest.mark.parametrize(
    "path",
    [
        *("/predict/batches", "/predict/batch/x", "/predict/batch/x/retry-failed"),
        *("/predict/precomputed/x", "/predict/async/x", "/predict/async/x/retry"),
    ],
)
def test_a_path_that_names_nothing_possible_is_a_404_with_any_method(path: str) -> None:
    assert ask(lambda_handler, "PUT", path).status == 404


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


def test_a_function_that_starts_late_gives_no_client_more_time(
    inference: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a request that the gateway took ten seconds ago, because the function had to start
    monkeypatch.setattr(parts, "now", lambda: ARRIVED + timedelta(seconds=10))

    # WHEN it is answered, waits alone, and may become a task
    for prefer in (None, "wait=20", "wait=28, respond-async"):
        get(f"/predict/{MATCH}", prefer=prefer, stage="champion")
        inference.predictor = Release().predictor()

    # THEN
    assert max(inference.deadlines) == ARRIVED + timedelta(seconds=28)


def test_a_client_cannot_wait_longer_than_the_service_takes(
    inference: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictions, "sync_deadline", lambda: timedelta(seconds=10))

    get(f"/predict/{MATCH}", prefer="wait=20")

    assert inference.deadlines == [ARRIVED + timedelta(seconds=10)]
