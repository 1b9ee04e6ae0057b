"""Errors: each is answered as a problem that tells the client no secrets, and leaves logs and metrics behind."""

from __future__ import annotations

import json

import pytest

from tests.support.example_api import assert_is_problem, call
from tests.support.http_events import REQUEST_ID
from tests.support.logs import capture_logs


def test_no_error_repeats_what_the_client_sent() -> None:
    answer = call("POST", "/things", body={"match_id": ["hunter2"], "size": "hunter2"})
    assert b"hunter2" not in answer.body


def test_an_error_of_the_product_is_answered_with_its_own_status_and_reason() -> None:
    problem = assert_is_problem(call("GET", "/fails/match"), 404, "match-not-found")
    assert problem["detail"] == "No match of the snapshot has the id x."


def test_a_fault_behind_the_service_is_a_503_without_internals_that_says_when_to_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    logged = capture_logs(monkeypatch)
    answer = call("GET", "/fails/bucket")
    assert_is_problem(answer, 503, "storage-unavailable")
    assert answer.headers["retry-after"] == "5"
    assert b"secret-bucket" not in answer.body
    assert "secret-bucket" in logged.getvalue()


def test_a_refused_call_behind_the_service_is_a_500_that_tells_no_client_to_try_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # WHEN
    logged = capture_logs(monkeypatch)
    answer = call("GET", "/fails/refused")

    # THEN
    assert_is_problem(answer, 500, "internal-error")
    assert "retry-after" not in answer.headers
    assert b"secret" not in answer.body
    [line] = logged.lines
    assert (line["level"], line["code"]) == ("ERROR", "storage-unavailable")
    assert "ValidationException" in line["detail"]


@pytest.mark.parametrize(
    ("kind", "faults"),
    [("bucket", 1), ("refused", 1), ("late", 1), ("unexpected", 1), ("answer", 1), ("wait", 0), ("match", 0)],
)
def test_every_5xx_counts_as_a_fault_but_the_one_that_the_client_chose(
    kind: str, faults: int, capsys: pytest.CaptureFixture[str]
) -> None:
    call("GET", f"/fails/{kind}")

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert sum(sum(line.get("service_faults_total", [])) for line in lines) == faults


def test_a_wait_of_the_clients_own_is_the_same_problem_as_any_deadline() -> None:
    assert_is_problem(call("GET", "/fails/wait"), 504, "deadline-exceeded")


def test_a_deadline_says_that_time_ran_out() -> None:
    assert "in time" in assert_is_problem(call("GET", "/fails/late"), 504, "deadline-exceeded")["detail"]


@pytest.mark.parametrize("kind", ["unexpected", "answer"])
def test_an_unexpected_error_is_logged_and_answered_without_its_reason(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged = capture_logs(monkeypatch)
    answer = call("GET", f"/fails/{kind}")
    assert_is_problem(answer, 500, "internal-error")
    assert b"secret" not in answer.body
    assert b"large" not in answer.body
    [line] = logged.lines
    assert (line["level"], line["correlation_id"]) == ("ERROR", REQUEST_ID)
    assert "Traceback" in line["exception"]


def test_no_error_may_be_kept_by_a_cache() -> None:
    assert call("GET", "/nothing").headers["cache-control"] == "no-store"


def test_metrics_are_flushed_after_an_error_too_and_never_when_there_are_none(
    capsys: pytest.CaptureFixture[str],
) -> None:
    call("GET", "/things")
    assert "_aws" not in capsys.readouterr().out
    call("GET", "/fails/match")
    assert '"failures"' in capsys.readouterr().out
