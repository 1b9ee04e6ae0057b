"""What is accepted as a batch, what is refused, and what is pinned."""

from __future__ import annotations

import json

import pytest

from matchcast.batch_messages import SplitBatch
from matchcast.batches.ports import Request, StoredFile
from matchcast.batches.submit import BatchSubmission
from matchcast.batches.uploads import MakeUpload
from matchcast.domain.batch import MOST_BYTES, BatchKeys, BatchStatus, FileFormat
from matchcast.domain.manifests import SNAPSHOT_MANIFEST_KEY
from matchcast.errors import (
    ContentTooLarge,
    InputNotFound,
    InvalidRequest,
    KeyReused,
    MatchcastError,
    QueueUnavailable,
    SnapshotNotPublished,
    SnapshotUnavailable,
    StageNotFound,
    TooManyBatches,
)
from matchcast.snapshots.contract import MATCH_IDS_FILE
from matchcast.tasks.accept import IdempotencyKey
from tests.support.batch_flow import Flow, good
from tests.support.releases import artifact, published, put_models, put_snapshot

KEY = IdempotencyKey("k", "fingerprint")
MATCH = "e0-2026-03-01-alder-birch"


def test_a_batch_pins_the_model_the_snapshot_and_the_version_of_the_file() -> None:
    # WHEN
    flow = Flow()
    batch = flow.submitted([good(0)])

    # THEN
    stored = flow.raw.get(BatchKeys(batch.batch_id).request)
    assert stored is not None
    request = Request.model_validate_json(stored.body)
    assert (request.batch, request.model) == (batch, published("3"))
    assert request.snapshot is not None
    assert batch.provenance.snapshot_id == request.snapshot.snapshot_id
    assert batch.provenance.input.version_id is not None
    assert flow.batch(batch) == batch
    assert flow.queue.messages == [(SplitBatch(batch_id=batch.batch_id, tenant="north"), 0)]


def test_match_ids_are_kept_as_json_lines_and_predicted() -> None:
    # WHEN
    flow = Flow()
    batch, is_new = flow.submit.submit("north", BatchSubmission(match_ids=[MATCH, "e0-\ud800"]))
    flow.settle()

    # THEN
    assert is_new
    output, errors = flow.rows(batch)
    assert ([row["match_id"] for row in output], len(errors)) == ([MATCH], 1)


@pytest.mark.parametrize(
    "key",
    [
        "input/south/00000000-0000-4000-8000-000000000001.jsonl",
        "input/north/../south/00000000-0000-4000-8000-000000000001.jsonl",
        "input/north/00000000-0000-4000-8000-000000000001.exe",
        "input/north/00000000-0000-4000-8000-000000000001.parquet.gz",
        "input/north/00000000-0000-4000-8000-000000000001.jsonl\n",
        "batches/x/request.json",
        "00000000-0000-4000-8000-000000000001.jsonl",
        "",
        "input/north/00000000-0000-4000-8000-000000000002.jsonl",
    ],
)
def test_a_key_that_is_not_the_tenants_own_upload_is_not_found(key: str) -> None:
    flow = Flow()
    flow.upload([good(0)])
    if not key.endswith("2.jsonl"):
        flow.uploads.put(key, b"{}")

    with pytest.raises(InputNotFound):
        flow.submit.submit("north", BatchSubmission(input_key=key))
    assert flow.queue.messages == []


def test_an_upload_is_under_a_key_that_its_tenant_alone_can_name() -> None:
    # WHEN
    flow = Flow()
    make = MakeUpload(flow.uploads, lambda: flow.now, 600)
    upload = make.make("a|b@c", FileFormat.CSV, gzipped=True)
    flow.uploads.put(upload.key, b"elo_difference,form\n")

    # THEN
    assert upload.key.startswith("input/a%7Cb%40c/")
    assert upload.form.fields == {"key": upload.key, "bytes": str(MOST_BYTES), "seconds": "600"}
    batch, _ = flow.submit.submit("a|b@c", BatchSubmission(input_key=upload.key))
    assert (batch.provenance.input.format, batch.provenance.input.gzipped) == (FileFormat.CSV, True)
    with pytest.raises(InvalidRequest, match="compressed already"):
        make.make("north", FileFormat.PARQUET, gzipped=True)


@pytest.mark.parametrize(
    ("size", "error", "says"), [(0, InvalidRequest, "empty"), (MOST_BYTES + 1, ContentTooLarge, str(MOST_BYTES))]
)
def test_an_empty_file_and_one_that_is_too_large_are_refused(
    size: int, error: type[MatchcastError], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = Flow()
    key = flow.upload([good(0)])
    monkeypatch.setattr(flow.uploads, "head", lambda key: StoredFile(key, "1", "etag", size))

    with pytest.raises(error, match=says):
        flow.submit.submit("north", BatchSubmission(input_key=key))


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        (BatchSubmission(stage="nobody", match_ids=[MATCH]), StageNotFound),
        (BatchSubmission(match_ids=[]), InvalidRequest),
        (BatchSubmission(), InvalidRequest),
        (BatchSubmission(match_ids=[MATCH], output_format=FileFormat.CSV), InvalidRequest),
    ],
)
def test_what_could_only_fail_is_refused(asked: BatchSubmission, error: type[MatchcastError]) -> None:
    flow = Flow()
    with pytest.raises(error):
        flow.submit.submit("north", asked)
    assert flow.queue.messages == []


def test_without_a_snapshot_features_are_taken_and_match_ids_are_not() -> None:
    flow = Flow()
    flow.raw.delete([SNAPSHOT_MANIFEST_KEY])

    with pytest.raises(SnapshotNotPublished):
        flow.submit.submit("north", BatchSubmission(match_ids=[MATCH]))
    assert flow.submitted([good(0)]).provenance.snapshot_id is None


def test_a_tenant_has_only_so_many_open_batches() -> None:
    # GIVEN
    flow = Flow(limit=1)
    first = flow.submitted([good(0)])

    # WHEN it asks for another
    # THEN
    with pytest.raises(TooManyBatches, match="1 open batches") as refused:
        flow.submitted([good(0)])
    assert refused.value.retry_after > 0
    assert flow.submit.submit("south", BatchSubmission(match_ids=[MATCH]))[1]
    flow.settle()
    assert flow.batch(first).status is BatchStatus.SUCCEEDED
    flow.submitted([good(0)])


def test_a_key_makes_one_batch_also_when_the_limit_is_reached() -> None:
    # WHEN
    flow = Flow(limit=1)
    asked = BatchSubmission(match_ids=[MATCH])
    answers = [flow.submit.submit("north", asked, KEY) for _ in range(2)]

    # THEN
    assert answers[0][0] == answers[1][0]
    assert [is_new for _, is_new in answers] == [True, False]
    with pytest.raises(KeyReused):
        flow.submit.submit("north", asked, IdempotencyKey("k", "another"))


def test_a_batch_that_is_sent_again_for_its_key_is_the_one_that_was_pinned_at_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # GIVEN a first call that dies before its message
    flow = Flow(limit=1)
    with monkeypatch.context() as patch:
        patch.setattr(flow.queue, "send", refuse)
        with pytest.raises(QueueUnavailable):
            flow.submit.submit("north", BatchSubmission(match_ids=[MATCH]), KEY)

    # WHEN another version is published, and the tenant has no room left, before the client asks again
    flow.submitted([good(0)])
    put_models(flow.raw, {"champion": ("4", artifact("4"))}, release=2)
    flow.release.models._due = 0
    monkeypatch.setattr("matchcast.tasks.accept.PATIENCE_SECONDS", 0)
    batch, is_new = flow.submit.submit("north", BatchSubmission(match_ids=[MATCH]), KEY)

    # THEN
    assert flow.release.models.current().stages["champion"].version == "4"
    assert (batch.provenance.model.version, is_new) == ("3", True)
    assert flow.batch(batch) == batch
    ids = flow.raw.get(BatchKeys(batch.batch_id).match_ids)
    assert ids is not None
    assert json.loads(ids.body) == {"match_id": MATCH}


def refuse(*_: object, **__: object) -> None:
    raise QueueUnavailable("no")


def test_a_snapshot_without_features_is_a_problem_of_the_service() -> None:
    # GIVEN a manifest of a snapshot that lacks the file
    flow = Flow()
    put_snapshot(flow.raw, {MATCH_IDS_FILE: b""})

    # WHEN a batch is submitted
    # THEN nothing of it is kept
    with pytest.raises(SnapshotUnavailable, match=r"match_features\.parquet"):
        flow.submitted([good(0)])
    assert flow.queue.messages == []
    assert not flow.raw.list_objects("batches/")
