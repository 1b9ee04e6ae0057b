"""`matchcast batch` where the API or the storage fails, or somebody interrupts it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from matchcast_tools.errors import BadInput, EnvironmentProblem
from matchcast_tools.stack import batches, transfers
from matchcast_tools.stack.api_client import ApiClient
from tests.support.batch_service import BATCH_ID, ROWS, BatchService, envelope, predictions

pytestmark = pytest.mark.enable_socket

SLEEP = "matchcast_tools.stack.batches.time.sleep"
Run = Callable[..., Result]


def test_a_service_that_asks_to_come_again_is_asked_with_the_same_key(
    service: BatchService, rows: Path, run: Run
) -> None:
    # GIVEN
    again = [("POST", "/predict/batch/", status, {"Retry-After": "7"}, b'{"detail": "later"}') for status in (429, 503)]
    service.answers = [("POST", "/predict/batch/uploads", 504, {}, b"{}"), *again]
    service.answers.append(("GET", f"/predict/batch/{BATCH_ID}", 401, {}, b"{}"))
    # WHEN
    done = run("run", rows)
    # THEN the submission is the same one each time
    assert done.exit_code == 0, done.stderr
    sent = service.requests("POST", "/predict/batch/")
    assert len(sent) == 3
    assert len({(headers["idempotency-key"], body) for headers, body in sent}) == 1
    assert "trying again in 7 s" in done.stderr
    # AND a token that has expired is renewed
    tokens = [headers["authorization"] for headers, _ in service.requests("GET", f"/predict/batch/{BATCH_ID}")]
    assert (tokens[0], set(tokens[1:])) == ("Bearer t", {"Bearer renewed"})


def test_an_upload_that_is_refused_says_why_and_one_that_fails_is_sent_again(
    service: BatchService, rows: Path, run: Run
) -> None:
    # GIVEN
    refused = b"<Error><Code>EntityTooLarge</Code><Message>Too large</Message></Error>"
    service.answers = [("POST", "/storage", 503, {}, b""), ("POST", "/storage", 400, {}, refused)]
    # WHEN
    done = run("submit", rows)
    # THEN
    assert done.exit_code == 3
    assert "400 EntityTooLarge - Too large" in done.stderr
    assert len(service.requests("POST", "/storage")) == 2
    # AND with good storage it goes on
    assert run("submit", rows).stdout.strip() == BATCH_ID


def test_a_file_that_changes_while_it_is_uploaded_is_refused(service: BatchService, rows: Path) -> None:
    def grow(done: int, total: int) -> None:
        rows.write_bytes(ROWS + b"d,4\n")

    with pytest.raises(BadInput, match="changed while it was uploaded"):
        transfers.send_form(f"{service.url}/storage", {}, rows, grow)


def test_a_download_that_breaks_off_is_made_again(service: BatchService, rows: Path, run: Run) -> None:
    # GIVEN
    short = service.files["output"][:100]
    longer = {"Content-Length": str(len(service.files["output"]))}
    service.answers = [("GET", "/files/output", 200, longer, short), ("GET", "/files/errors", 403, {}, b"expired")]
    # WHEN
    done = run("run", rows, "--out", "x.parquet")
    # THEN
    assert done.exit_code == 0, done.stderr
    assert (rows.parent / "x.parquet").read_bytes() == service.files["output"]
    assert (rows.parent / "x.errors.parquet").read_bytes() == service.files["errors"]


def test_files_with_other_rows_than_the_counts_leave_what_was_there(
    service: BatchService, rows: Path, run: Run
) -> None:
    # GIVEN
    service.files["output"] = predictions(3)
    (rows.parent / "x.parquet").write_text("earlier")
    # WHEN
    done = run("run", rows, "--out", "x.parquet")
    # THEN
    assert (done.exit_code, "has 3 rows, and its counts say 2" in done.stderr) == (3, True)
    assert (rows.parent / "x.parquet").read_text() == "earlier"
    assert {path.name for path in rows.parent.iterdir()} == {"rows.csv", "x.parquet"}


def test_ctrl_c_leaves_the_batch_running_and_says_how_to_go_on(
    service: BatchService, rows: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    service.statuses = [envelope()]
    calls: list[int] = []

    def interrupted(_: float) -> None:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(SLEEP, interrupted)
    # WHEN
    done = run("run", rows)
    # THEN
    assert done.exit_code == 130
    assert f"matchcast batch wait {BATCH_ID}" in done.stderr
    assert not service.requests("DELETE", f"/predict/batch/{BATCH_ID}")


def test_a_service_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a clock that the pauses move
    now = [0.0]
    monkeypatch.setattr("matchcast_tools.stack.batches.time.monotonic", lambda: now[0])
    monkeypatch.setattr(SLEEP, lambda seconds: now.__setitem__(0, now[0] + seconds))
    said: list[str] = []
    # WHEN
    with pytest.raises(EnvironmentProblem):
        batches.BatchClient(ApiClient("http://127.0.0.1:1"), said.append).status(BATCH_ID)
    # THEN
    assert batches.GIVE_UP_SECONDS < now[0] < batches.GIVE_UP_SECONDS + 5
    assert said
