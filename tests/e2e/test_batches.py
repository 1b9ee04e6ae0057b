"""Batches on the laptop stack: uploads, both files, cancellation, retry of failed rows."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import urllib3

from matchcast_tools.stack.api_client import ApiClient
from matchcast_tools.stack.deployed import Stack
from tests.support.laptop import Command, Lanes, queue_depth

ROWS = 1_000
PATIENCE_SECONDS = 60
FINAL = {"succeeded", "failed", "cancelled"}


@pytest.fixture(scope="module")
def matches(api: ApiClient) -> list[str]:
    items = api.get("/predict/predictions/", limit=20).expect(200)["items"]
    return [str(item["match_id"]) for item in items]


@pytest.fixture(scope="module")
def features(api: ApiClient, matches: list[str]) -> dict[str, float | None]:
    found: dict[str, float | None] = api.get(f"/predict/precomputed/{matches[0]}").expect(200)["features"]
    return found


def download(address: str) -> bytes:
    """Return a file by its presigned address, as a client without any credentials does."""
    answer = urllib3.request("GET", address, retries=False)
    assert answer.status == 200, answer.data
    return answer.data


def upload(api: ApiClient, kind: str, content: bytes) -> str:
    """Upload a file with the form that the API gives; return what a submission names it by."""
    form = api.post("/predict/batch/uploads", {"format": kind}).expect(201)
    fields = {**form["fields"], "file": ("rows", content, "application/octet-stream")}
    answer = urllib3.request("POST", form["url"], fields=fields, retries=False)
    assert answer.status in (200, 201, 204), answer.data
    return str(form["input"])


def ended(api: ApiClient, batch_id: str) -> dict[str, Any]:
    """Return a batch, with links to its files, as soon as it has ended."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        batch: dict[str, Any] = api.get(f"/predict/batch/{batch_id}", links="true").expect(200)
        if batch["status"] in FINAL:
            return batch
        assert time.monotonic() < deadline, batch
        time.sleep(0.2)


def table(body: bytes) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(body)).to_pylist()
    return rows


def lines(body: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in body.splitlines()]


def test_a_thousand_matches_are_one_file_in_the_order_of_the_request(api: ApiClient, matches: list[str]) -> None:
    # GIVEN
    asked = list(itertools.islice(itertools.cycle(matches), ROWS - 1))
    asked.insert(500, "zz1-2026-03-07-nobody-nowhere")
    headers = {"Idempotency-Key": f"e2e-{time.time_ns()}"}
    # WHEN
    answers = [api.post("/predict/batch/", {"match_ids": asked}, headers) for _ in range(2)]
    # THEN it is one batch
    first, second = (answer.expect(202) for answer in answers)
    assert first["batch_id"] == second["batch_id"]
    assert answers[0].headers["Location"] == first["links"]["status"] == f"/predict/batch/{first['batch_id']}"
    assert int(answers[0].headers["Retry-After"]) > 0
    # WHEN it has ended
    batch = ended(api, first["batch_id"])
    # THEN its files have every row, in the order of the request, as its counts say
    assert (batch["status"], batch["error"]) == ("succeeded", None)
    counts = {"total": ROWS, "queued": 0, "succeeded": ROWS - 1, "failed": 1, "cancelled": 0}
    assert batch["counts"] == counts
    output, errors = (table(download(batch["links"][kind])) for kind in ("output", "errors"))
    assert [(row["row"], row["match_id"]) for row in output] == [
        (number, match) for number, match in enumerate(asked) if number != 500
    ]
    [error] = errors
    assert (error["row"], error["match_id"], error["code"]) == (500, asked[500], "match-not-found")
    # AND they agree with the prediction on demand
    alone = api.get(f"/predict/{asked[0]}").expect(200)
    assert [output[0][name] for name in ("home", "draw", "away")] == pytest.approx(
        [alone[name] for name in ("home", "draw", "away")], abs=1e-6
    )
    assert batch["provenance"]["snapshot_id"] == alone["snapshot_id"]
    # AND it is in the list, and its parts are shown
    assert api.get("/predict/batch/", limit=1).expect(200)["items"][0]["batch_id"] == batch["batch_id"]
    shown = api.get(f"/predict/batch/{batch['batch_id']}", parts="true", links="true").expect(200)["parts"]
    assert sum(part["rows"] for part in shown) == ROWS
    assert len(table(download(shown[0]["links"]["output"]))) == shown[0]["succeeded"]


def test_an_uploaded_file_gives_each_row_a_prediction_or_a_reason(
    api: ApiClient, features: dict[str, float | None]
) -> None:
    # GIVEN a file of features with rows that are wrong
    body = io.StringIO()
    writer = csv.DictWriter(body, ["custom_id", *features])
    writer.writeheader()
    wrong = {3, 50, 99}
    for number in range(100):
        name = next(iter(features))
        values = {key: "" if value is None else value for key, value in features.items()}
        writer.writerow({"custom_id": f"c{number}", **values, **({name: "many"} if number in wrong else {})})
    key = upload(api, "csv", body.getvalue().encode())
    # WHEN
    accepted = api.post("/predict/batch/", {"input": key, "output_format": "jsonl"}).expect(202)
    batch = ended(api, accepted["batch_id"])
    # THEN
    assert batch["counts"] == {"total": 100, "queued": 0, "succeeded": 97, "failed": 3, "cancelled": 0}
    output, errors = (lines(download(batch["links"][kind])) for kind in ("output", "errors"))
    assert {row["row"] for row in errors} == wrong
    assert [row["custom_id"] for row in output] == [f"c{number}" for number in range(100) if number not in wrong]
    assert all(sum(row[name] for name in ("home", "draw", "away")) == pytest.approx(1, abs=1e-9) for row in output)
    # AND rows that are wrong in the input are not tried again
    assert api.post(f"/predict/batch/{batch['batch_id']}/retry-failed", {}).status == 409
    assert api.request("DELETE", f"/predict/batch/{batch['batch_id']}").status == 409


def test_what_has_not_run_of_a_batch_is_cancelled_and_run_again(
    api: ApiClient, stack: Stack, matches: list[str]
) -> None:
    # GIVEN a batch whose parts no worker receives
    lanes = Lanes(stack)
    lanes.rest()
    try:
        time.sleep(0.5)  # a receive that was under way ends
        asked = (matches * ROWS)[:ROWS]
        path = api.post("/predict/batch/", {"match_ids": asked}).expect(202)["links"]["status"]
        deadline = time.monotonic() + PATIENCE_SECONDS
        while api.get(path).expect(200)["status"] != "running" and time.monotonic() < deadline:
            time.sleep(0.2)
        # WHEN it is cancelled, twice
        statuses = [api.request("DELETE", path).expect(200)["status"] for _ in range(2)]
        cancelled = ended(api, path.rpartition("/")[2])
    finally:
        lanes.wake()
    # THEN every row is among the errors
    assert set(statuses) <= {"cancelling", "cancelled"}
    assert cancelled["status"] == "cancelled"
    assert cancelled["counts"] == {"total": ROWS, "queued": 0, "succeeded": 0, "failed": 0, "cancelled": ROWS}
    assert {row["code"] for row in table(download(cancelled["links"]["errors"]))} == {"cancelled"}
    assert table(download(cancelled["links"]["output"])) == []
    # WHEN they are run again
    again = api.post(f"{path}/retry-failed", {})
    batch = ended(api, again.expect(202)["batch_id"])
    # THEN all have predictions
    assert again.headers["Location"] == path
    assert (batch["status"], batch["generation"]) == ("succeeded", 1)
    assert batch["counts"] == {"total": ROWS, "queued": 0, "succeeded": ROWS, "failed": 0, "cancelled": 0}
    assert [row["match_id"] for row in table(download(batch["links"]["output"]))] == asked
    assert queue_depth(stack, "BatchesDeadLetterQueueUrl") == 0


def test_files_and_batches_of_one_tenant_are_not_there_for_another(
    api: ApiClient, client_with: Callable[[str | None], ApiClient], other_tenant_token: str, matches: list[str]
) -> None:
    # GIVEN
    other = client_with(other_tenant_token)
    key = upload(api, "jsonl", json.dumps({"match_id": matches[0]}).encode())
    batch = api.post("/predict/batch/", {"input": key}).expect(202)
    # WHEN
    answers = [
        other.post("/predict/batch/", {"input": key}),
        other.get(batch["links"]["status"]),
        other.request("DELETE", batch["links"]["status"]),
        other.post(f"{batch['links']['status']}/retry-failed", {}),
    ]
    # THEN
    assert [answer.status for answer in answers] == [404] * 4
    assert ended(api, batch["batch_id"])["counts"]["succeeded"] == 1


def test_a_form_takes_no_other_key_and_an_address_no_other_object(api: ApiClient, matches: list[str]) -> None:
    # GIVEN
    form = api.post("/predict/batch/uploads", {"format": "jsonl"}).expect(201)
    batch = ended(api, api.post("/predict/batch/", {"match_ids": matches[:1]}).expect(202)["batch_id"])
    # WHEN
    fields = {**form["fields"], "key": "models/manifest.json", "file": ("rows", b"{}", "application/json")}
    forged = urllib3.request("POST", form["url"], fields=fields, retries=False)
    bent = urllib3.request("GET", batch["links"]["output"].replace("output-0", "errors-0"), retries=False)
    # THEN
    assert (forged.status, bent.status) == (403, 403)


def test_the_command_takes_a_file_to_predictions_and_back(
    laptop_command: Command,
    laptop: dict[str, Any],
    features: dict[str, float | None],
    matches: list[str],
    tmp_path: Path,
) -> None:
    # GIVEN a gzipped file with a row that is wrong, and a list of matches
    good = json.dumps({"custom_id": "mine", **features})
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress(f"{good}\n{{}}\n{good}\n".encode()))
    (tmp_path / "ids.txt").write_text("\n".join(matches))
    # WHEN
    ran = laptop_command.json("batch", "run", str(tmp_path / "rows.jsonl.gz"))
    listed = laptop_command.json("batch", "run", str(tmp_path / "ids.txt"), "--out", str(tmp_path / "ids.jsonl"))
    # THEN
    assert ran["counts"] == {"total": 3, "queued": 0, "succeeded": 2, "failed": 1, "cancelled": 0}
    output, errors = (pq.read_table(ran["files"][kind]).to_pylist() for kind in ("output", "errors"))
    assert [(row["row"], row["custom_id"]) for row in output] == [(0, "mine"), (2, "mine")]
    assert [row["row"] for row in errors] == [1]
    assert [row["match_id"] for row in lines(Path(listed["files"]["output"]).read_bytes())] == matches
    # AND the batch is known under its id, and has nothing to run again
    assert laptop_command.json("batch", "show", ran["batch_id"])["status"] == "succeeded"
    again = laptop_command.run("batch", "retry-failed", ran["batch_id"])
    assert (again.returncode, "no rows to run again" in again.stderr) == (2, True)
