"""`matchcast batch` over HTTP, against a small server that answers like the API and the storage."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import Result

from tests.support.batch_service import BATCH_ID, KEY, MAX_BYTES, ROWS, BatchService, envelope

pytestmark = pytest.mark.enable_socket

FAILED = {"code": "input-refused", "detail": "The file is empty.", "pointer": None}
Run = Callable[..., Result]


def test_a_run_uploads_submits_waits_and_downloads(service: BatchService, rows: Path, run: Run) -> None:
    # WHEN
    done = run("run", rows, "--json")
    # THEN
    assert done.exit_code == 0, done.stderr
    content = json.loads(done.stdout)
    assert content["counts"]["succeeded"] == 2
    # AND the form is as it was given, with the file last, as it is
    fields = [("key", KEY.encode()), ("policy", b"cG9saWN5"), ("x-amz-signature", b"00ff")]
    assert service.form() == [*fields, ("file", ROWS)]
    [(headers, body)] = service.requests("POST", "/predict/batch/")
    assert json.loads(body) == {"stage": "champion", "output_format": "parquet", "input": KEY}
    assert headers["idempotency-key"]
    # AND the files are there, and nothing else
    assert {path.name for path in rows.parent.iterdir()} == {
        "rows.csv",
        "rows.csv.out.parquet",
        "rows.csv.out.errors.parquet",
    }
    assert pq.read_table(content["files"]["output"]).num_rows == 2


@pytest.mark.parametrize("text", ["m1\n\n m2 \r\nm3\n", "\ufeffm1\nm2\nm3"])
@pytest.mark.parametrize("way", ["-", "ids.txt"])
def test_match_ids_one_a_line_are_sent_with_the_submission(
    service: BatchService, rows: Path, run: Run, text: str, way: str
) -> None:
    # GIVEN
    (rows.parent / "ids.txt").write_text(text, newline="")
    # WHEN
    done = run("run", way, "--out", "x.parquet", stdin=text)
    # THEN
    assert done.exit_code == 0, done.stderr
    [(_, body)] = service.requests("POST", "/predict/batch/")
    assert json.loads(body)["match_ids"] == ["m1", "m2", "m3"]
    assert not service.requests("POST", "/storage")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["rows.xlsx"], "no known extension"),
        (["rows.parquet.gz"], "no known extension"),
        (["missing.csv"], "There is no file"),
        (["empty.txt"], "no match ids"),
        (["latin.txt"], "no text in UTF-8"),
        (["huge.txt"], "more than one request takes"),
        (["empty.csv"], "is empty"),
        (["large.csv"], f"at most {MAX_BYTES}"),
        (["rows.csv", "--out", "rows.csv"], "named .csv"),
        (["rows.csv", "--out", "missing/x.parquet"], "There is no folder"),
        (["rows.csv", "--out", "folder"], "is a folder"),
        (["rows.csv", "--out", "x.parquet", "--format", "jsonl"], "named .parquet"),
        (["same.jsonl", "--out", "same.jsonl"], "is the input"),
    ],
)
def test_what_cannot_be_an_input_or_an_output_is_refused_before_it_is_sent(
    service: BatchService, rows: Path, run: Run, given: list[str], said: str
) -> None:
    # GIVEN
    folder = rows.parent
    (folder / "folder").mkdir()
    contents = {"empty.txt": b"\n", "empty.csv": b"", "latin.txt": b"m\xfc\n", "same.jsonl": b"{}"}
    contents |= {"huge.txt": b"a-match-of-that-length\n" * 200_000, "large.csv": b"\n" * (MAX_BYTES + 1)}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    # WHEN
    done = run("run", *given)
    # THEN
    assert (done.exit_code, said in done.stderr) == (2, True), done.stderr
    assert not service.requests("POST", "/storage")
    assert not service.requests("POST", "/predict/batch/")


@pytest.mark.parametrize(
    ("status", "code", "has_files"), [("succeeded", 0, True), ("cancelled", 1, True), ("failed", 1, False)]
)
def test_the_exit_code_tells_how_a_batch_ended(
    service: BatchService, rows: Path, run: Run, *, status: str, code: int, has_files: bool
) -> None:
    # GIVEN
    service.statuses = [envelope(status, error=FAILED if status == "failed" else None)]
    # WHEN
    waited, ran, loaded = run("wait", BATCH_ID), run("run", rows), run("download", BATCH_ID)
    # THEN
    assert [done.exit_code for done in (waited, ran, loaded)] == [code] * 3
    assert (rows.parent / f"{BATCH_ID}.parquet").exists() == has_files
    assert (rows.parent / f"{BATCH_ID}.errors.parquet").exists() == has_files
    assert ("The file is empty." in ran.stdout) == (status == "failed")


def test_a_batch_that_runs_has_no_files_and_ends_a_wait_with_3(service: BatchService, rows: Path, run: Run) -> None:
    service.statuses = [envelope()]

    assert run("wait", BATCH_ID, "--seconds", 0).exit_code == 3
    done = run("download", BATCH_ID)
    assert (done.exit_code, "is running and has no files" in done.stderr) == (2, True)


def test_readers_print_json_and_tables(service: BatchService, run: Run) -> None:
    # GIVEN
    service.statuses = [envelope("succeeded")]
    # WHEN
    listed, shown = (json.loads(run(*words, "--json").stdout) for words in (["list"], ["show", BATCH_ID, "--links"]))
    # THEN
    assert [item["batch_id"] for item in listed] == [BATCH_ID]
    assert shown["links"]["output"].endswith("/files/output")
    assert BATCH_ID in run("list").stdout
    assert "matchcast 1 (champion), run r" in run("show", BATCH_ID).stdout
    # AND what changes a batch says what it is then
    assert "cancelling" in run("cancel", BATCH_ID).stdout
    assert json.loads(run("retry-failed", BATCH_ID, "--json").stdout)["status"] == "queued"
    [(headers, _)] = service.requests("POST", f"/predict/batch/{BATCH_ID}/retry-failed")
    assert headers["idempotency-key"]


@pytest.mark.parametrize("command", ["run", "submit"])
def test_a_callback_address_is_sent_with_the_submission(
    service: BatchService, rows: Path, run: Run, command: str
) -> None:
    assert run(command, rows, "--callback-url", "https://client.example.org/hook").exit_code == 0
    [(_, body)] = service.requests("POST", "/predict/batch/")
    assert json.loads(body)["callback_url"] == "https://client.example.org/hook"
