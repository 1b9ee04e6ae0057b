"""Clients that prefer a task, or only so long a wait, get what they prefer and may have."""

from __future__ import annotations

from datetime import timedelta

import pytest

from matchcast.adapters.in_memory import InMemoryLanes
from matchcast.domain.task import Priority
from matchcast.errors import DeadlineExceeded, InferenceUnavailable, MatchcastError
from matchcast.predictions.predict_now import SAFETY_NET_SECONDS
from tests.support.on_demand import ARRIVED, MATCH, InProcess, get, post
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
    assert [error["header"] for error in other.json["errors"]] == ["Idempotency-Key"]
    assert len(lanes.sent) == 1
