"""Submissions as clients meet them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from matchcast.batches.submit import RETRY_AFTER_SECONDS
from matchcast.domain.batch import MOST_BYTES, MOST_IDS_BYTES, BatchKeys
from tests.support.batch_flow import good
from tests.support.managed_batches import FEATURES, MATCH, ManagedBatches

BATCHES = "/predict/batch/"
UPLOADS = "/predict/batch/uploads"
NAME = "01234567-89ab-4def-8123-456789abcdef"


def pointers(problem: Any) -> list[str]:
    return [error["pointer"] for error in problem["errors"]]


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_batch_is_accepted_with_where_and_when_to_ask(service: ManagedBatches, slash: str) -> None:
    # WHEN
    answer = service.ask("POST", f"/predict/batch{slash}", {"match_ids": [MATCH]})

    # THEN
    assert answer.status == 202
    assert answer.headers["location"] == answer.json["links"]["status"] == f"{BATCHES}{answer.json['batch_id']}"
    assert answer.headers["retry-after"] == "2"
    assert (answer.json["stage"], answer.json["output_format"], answer.json["status"]) == (
        "champion",
        "parquet",
        "queued",
    )
    assert "tenant" not in answer.json


@pytest.mark.parametrize(("size", "seconds"), [(19_999_999, "2"), (20_000_000, "3"), (MOST_BYTES, "55")])
def test_a_larger_input_is_asked_for_later(
    service: ManagedBatches, monkeypatch: pytest.MonkeyPatch, size: int, seconds: str
) -> None:
    # GIVEN an upload of some size
    key = service.flow.upload([good(0)])
    stored = service.flow.uploads.head(key)
    assert stored is not None
    changed = type(stored)(stored.key, stored.version_id, stored.etag, size)
    monkeypatch.setattr(service.flow.uploads, "head", lambda _: changed)

    # WHEN it is submitted
    answer = service.submit(input=key)

    # THEN
    assert (answer.status, answer.headers["retry-after"]) == (202, seconds)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, ""),
        ({"match_ids": [MATCH], "input": "x"}, ""),
        ({"match_ids": None, "input": None}, ""),
        ({"match_ids": []}, "/match_ids"),
        ({"match_ids": MATCH}, "/match_ids"),
        ({"match_ids": {"0": MATCH}}, "/match_ids"),
        ({"match_ids": [MATCH, 7]}, "/match_ids/1"),
        ({"match_ids": [None]}, "/match_ids/0"),
        ({"match_ids": [["a"], 1, 2]}, "/match_ids/0"),
        ({"input": 7}, "/input"),
        ({"input": "x" * 1_025}, "/input"),
        ({"match_ids": [MATCH], "stage": ""}, "/stage"),
        ({"match_ids": [MATCH], "stage": None}, "/stage"),
        ({"match_ids": [MATCH], "output_format": "csv"}, "/output_format"),
        ({"match_ids": [MATCH], "output_format": None}, "/output_format"),
        ({"match_ids": [MATCH], "features": FEATURES}, "/features"),
        ({"match_ids": [MATCH], "tenant": "south"}, "/tenant"),
        ('{"match_ids": ["a"], "match_ids": ["b"]}', ""),
        ('{"match_ids": ["\\ud800"]}', ""),
    ],
)
def test_what_is_no_batch_is_a_422_that_leaves_nothing(service: ManagedBatches, body: Any, pointer: str) -> None:
    answer = service.ask("POST", BATCHES, body)

    assert (answer.status, pointers(answer.json)) == (422, [pointer])
    assert service.flow.queue.messages == []
    assert service.ask("GET", BATCHES).json["items"] == []


def test_a_million_items_that_are_no_texts_are_one_error(service: ManagedBatches) -> None:
    body = '{"match_ids":[' + ",".join("1" * 1_000_000) + "]}"

    answer = service.ask("POST", BATCHES, body)

    assert (answer.status, pointers(answer.json)) == (422, ["/match_ids/0"])
    assert "more_errors" not in answer.json


def test_a_body_has_five_megabytes_at_most(service: ManagedBatches) -> None:
    # GIVEN bodies of the longest length, and of one byte more
    empty = json.dumps({"match_ids": [""]}, separators=(",", ":"))
    bodies = [json.dumps({"match_ids": ["x" * (MOST_IDS_BYTES - len(empty) + more)]}, separators=(",", ":"))
              for more in (0, 1)]  # fmt: skip

    # WHEN
    answers = [service.ask("POST", BATCHES, body) for body in bodies]

    # THEN
    assert [answer.status for answer in answers] == [202, 413]
    assert str(MOST_IDS_BYTES) in answers[1].json["detail"]
    assert service.ask("POST", UPLOADS, json.dumps({"format": "x" * 140_000})).status == 413


@pytest.mark.parametrize(
    "key",
    [
        f"input/south/{NAME}.jsonl",
        f"input/north/{NAME}.jsonl",
        f"input/north/../south/{NAME}.jsonl",
        f"input/north%2F..%2Fsouth/{NAME}.jsonl",
        f"input//north/{NAME}.jsonl",
        f"/input/north/{NAME}.jsonl",
        f"input/north/{NAME}.jsonl/",
        f"input/north/{NAME}.exe",
        f"input/north/{NAME}.parquet.gz",
        f"input/north/{NAME}.jsonl\n",
        f"INPUT/north/{NAME}.jsonl",
        f"input/north/{NAME.upper()}.jsonl",
        "input/north/",
        "models/other.json",
        "batches/x/request.json",
        "",
        "\x00",
        "%",
    ],
)
def test_a_key_that_names_no_upload_of_the_tenant_is_a_404(service: ManagedBatches, key: str) -> None:
    # GIVEN objects under all these keys but one, of which nobody knows anything
    if key != f"input/north/{NAME}.jsonl":
        service.flow.uploads.put(key, b'{"match_id": "x"}\n')

    # WHEN
    answer = service.submit(input=key)

    # THEN
    assert (answer.status, answer.json["type"]) == (404, "urn:matchcast:problem:input-not-found")


@pytest.mark.parametrize(("body", "status"), [(b"", 422), (b"x", 202)])
def test_an_empty_upload_is_a_422(service: ManagedBatches, body: bytes, status: int) -> None:
    key = service.flow.upload([good(0)])
    service.flow.uploads.put(key, body)

    assert service.submit(input=key).status == status


def test_too_large_an_upload_is_a_413(service: ManagedBatches, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    key = service.flow.upload([good(0)])
    stored = service.flow.uploads.head(key)
    assert stored is not None
    larger = type(stored)(stored.key, stored.version_id, stored.etag, MOST_BYTES + 1)
    monkeypatch.setattr(service.flow.uploads, "head", lambda _: larger)

    # WHEN
    answer = service.submit(input=key)

    # THEN
    assert (answer.status, pointers(answer.json)) == (413, ["/input"])


def test_an_unknown_stage_is_a_404(service: ManagedBatches) -> None:
    answer = service.submit(match_ids=[MATCH], stage="nowhere")

    assert (answer.status, answer.json["type"]) == (404, "urn:matchcast:problem:stage-not-found")


def test_a_key_is_one_batch_and_no_other_request(service: ManagedBatches) -> None:
    # GIVEN
    key = {"Idempotency-Key": "k"}
    body = {"match_ids": [MATCH]}
    first = service.ask("POST", BATCHES, body, headers=key)

    # WHEN
    again = service.ask("POST", BATCHES, {**body, "stage": "champion"}, headers=key)
    other = service.ask("POST", BATCHES, {"match_ids": [MATCH, MATCH]}, headers=key)
    retry = service.ask("POST", f"{first.json['links']['status']}/retry-failed", headers=key)
    south = service.ask("POST", BATCHES, body, tenant="south", headers=key)
    malformed = service.ask("POST", BATCHES, body, headers={"Idempotency-Key": "a,b"})

    # THEN
    assert [answer.status for answer in (first, again, other, retry, south, malformed)] == [
        202,
        202,
        422,
        422,
        202,
        400,
    ]
    assert again.json["batch_id"] == first.json["batch_id"] != south.json["batch_id"]
    assert other.json["type"] == retry.json["type"] == "urn:matchcast:problem:idempotency-key-reused"


def test_a_tenant_with_too_many_open_batches_has_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    service = ManagedBatches(monkeypatch, limit=2)
    accepted = [service.submit() for _ in range(2)]

    # WHEN
    refused = service.submit()

    # THEN
    assert [answer.status for answer in accepted] == [202, 202]
    assert (refused.status, refused.headers["retry-after"]) == (429, str(RETRY_AFTER_SECONDS))
    assert service.ask("POST", BATCHES, {"match_ids": [MATCH]}, tenant="south").status == 202
    # WHEN one of them has ended
    service.ask("DELETE", accepted[0].json["links"]["status"])
    # THEN
    assert service.submit().status == 202


def test_without_a_snapshot_a_file_of_features_can_be_predicted_and_matches_cannot(service: ManagedBatches) -> None:
    # GIVEN
    service.flow.raw.delete(["snapshots/manifest.json"])

    # WHEN
    matches, rows = service.submit(), service.submit(input=service.flow.upload([good(0)]))

    # THEN
    assert (matches.status, rows.status) == (503, 202)
    assert rows.json["provenance"]["snapshot_id"] is None


def test_what_was_accepted_is_kept_with_the_pinned_release(service: ManagedBatches) -> None:
    accepted = service.submit().json

    stored = service.flow.raw.get(BatchKeys(accepted["batch_id"]).request)

    assert stored is not None
    assert json.loads(stored.body)["model"]["version"] == accepted["provenance"]["model"]["version"]
