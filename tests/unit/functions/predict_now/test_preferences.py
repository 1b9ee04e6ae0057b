"""Clients that prefer a task, or only so long a wait, get what they prefer and may have."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from functions.predict_now.handler import lambda_handler
from matchcast.adapters.in_memory import InMemoryLanes
from matchcast.domain.task import Priority
from matchcast.errors import (
    DeadlineExceeded,
    InferenceUnavailable,
    InvalidRequest,
    MatchcastError,
    ModelFailed,
    ReleaseUnfit,
)
from matchcast.predictions.predict_now import SAFETY_NET_SECONDS
from tests.support.documented import ask
from tests.support.on_demand import ARRIVED, BOTH_SCOPES, MATCH, InProcess, get, post
from tests.support.releases import MATCHES, SIGNATURE


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


@pytest.mark.parametrize(
    ("error", "messages"),
    [
        (DeadlineExceeded("late"), 1),
        (InvalidRequest("too large"), 1),
        (InferenceUnavailable("down"), 2),
        (ModelFailed("no answer"), 2),
        (ReleaseUnfit("odds_home"), 2),
    ],
)
def test_a_client_whose_wait_has_ended_gets_the_task(
    inference: InProcess, lanes: InMemoryLanes, error: MatchcastError, messages: int
) -> None:
    inference.error = error

    answer = get(f"/predict/{MATCH}", prefer="wait=3, respond-async")

    assert (answer.status, answer.json["status"]) == (202, "queued")
    assert len(lanes.sent) == messages


def test_a_head_request_makes_no_task(inference: InProcess, lanes: InMemoryLanes) -> None:
    answer = ask(lambda_handler, "HEAD", f"/predict/{MATCH}", headers={"Prefer": "respond-async"}, claims=BOTH_SCOPES)

    assert (answer.status, lanes.sent) == (200, [])


def test_a_repeated_request_waits_for_its_task_like_the_first(inference: InProcess, lanes: InMemoryLanes) -> None:
    # GIVEN a first request whose wait ended
    features = dict(zip(SIGNATURE.names, MATCHES[MATCH], strict=True))
    headers = {"Prefer": "respond-async, wait=5", "Idempotency-Key": "k2"}
    inference.error = DeadlineExceeded("late")
    first = post({"features": features}, **headers)

    # WHEN it is repeated, and the inference is in time
    inference.error = None
    again = post({"features": features}, **headers)

    # THEN
    assert (first.status, again.status) == (202, 200)
    assert again.json["home"] == pytest.approx(0.5, abs=0.5)
    assert inference.deadlines == [ARRIVED + timedelta(seconds=5)] * 2
    assert len(lanes.sent) == 1


@pytest.mark.parametrize("wait", ["0", "5", "1000000000", "9" * 3_000])
def test_a_wait_of_any_length_is_taken(inference: InProcess, wait: str) -> None:
    assert get(f"/predict/{MATCH}", prefer=f"wait={wait}").status == 200
    assert inference.deadlines == [ARRIVED + timedelta(seconds=min(28, int(wait[:9])))]


@pytest.mark.parametrize(
    ("prefer", "outcome", "faults"),
    [("wait=0", "abandoned", 0), ("wait=27", "abandoned", 0), ("wait=28", "failed", 1), (None, "failed", 1)],
)
def test_a_deadline_that_the_client_chose_is_no_fault_of_the_service(
    inference: InProcess, capsys: pytest.CaptureFixture[str], prefer: str | None, outcome: str, faults: int
) -> None:
    # WHEN
    inference.error = DeadlineExceeded("late")
    answer = get(f"/predict/{MATCH}", prefer=prefer, stage="made up")

    # THEN the answer is the same, and what is counted is not
    assert (answer.status, answer.json["type"]) == (504, "urn:matchcast:problem:deadline-exceeded")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    (counted,) = [line for line in lines if "prediction_requests_total" in line]
    assert (counted["source"], counted["stage"], counted["outcome"]) == ("sync", "unknown", outcome)
    assert sum(sum(line.get("service_faults_total", [])) for line in lines) == faults


@pytest.mark.parametrize(
    ("path", "prefer", "status"),
    [
        (f"/predict/{MATCH}", "respond-async", 202),
        (f"/predict/{MATCH}", None, 200),
        ("/predict/e0-2020-01-01-no-body", None, 404),
        ("/predict/e0-2020-01-01-no-body", "respond-async", 404),
        (f"/predict/{MATCH}?", None, 422),
    ],
)
def test_every_answer_that_depends_on_the_preference_says_so(
    inference: InProcess, path: str, prefer: str | None, status: int
) -> None:
    query: dict[str, Any] = {"stage": ""} if path.endswith("?") else {}

    answer = get(path.rstrip("?"), prefer=prefer, **query)

    assert (answer.status, answer.headers["vary"]) == (status, "Prefer")


def test_an_answer_that_depends_on_no_preference_does_not_say_so(inference: InProcess) -> None:
    assert "vary" not in get("/predict/model/info", stage="nowhere").headers


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


@pytest.mark.parametrize("scopes", ["predictions/read predictions/write", "[predictions/read predictions/write]"])
def test_the_scopes_of_other_issuers_tokens_count_too(inference: InProcess, lanes: InMemoryLanes, scopes: str) -> None:
    answer = get(f"/predict/{MATCH}", prefer="respond-async", claims={"client_id": "north", "scp": scopes})

    assert answer.status == 202
    assert len(lanes.sent) == 1


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
    assert other.json["type"] == "urn:matchcast:problem:idempotency-key-reused"
    assert [error["header"] for error in other.json["errors"]] == ["Idempotency-Key"]
    assert len(lanes.sent) == 1
