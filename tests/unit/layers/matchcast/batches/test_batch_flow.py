"""A batch from its submission to its files: every end, and what changes it on the way."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from matchcast.batch_messages import JoinBatch, LosePart, RunPart, SplitBatch
from matchcast.domain.batch import Batch, BatchKeys, BatchStatus, FileFormat, Part
from matchcast.errors import StorageUnavailable, UnexpectedFault
from tests.support.batch_flow import BAD, MIXED, Flow, good


@pytest.mark.parametrize("output_format", [FileFormat.JSONL, FileFormat.PARQUET])
def test_every_row_is_in_one_of_two_files_in_input_order(output_format: FileFormat) -> None:
    # WHEN
    flow = Flow(size=4)
    batch = flow.submitted(MIXED, output_format)
    flow.settle()

    # THEN
    output, errors = flow.rows(batch)
    assert [(row["row"], row["custom_id"]) for row in output] == [(n, f"c{n}") for n in (0, 3, 4, 5, 7, 9)]
    assert all(row["home"] + row["draw"] + row["away"] == pytest.approx(1, abs=1e-6) for row in output)
    assert [(row["row"], row["code"]) for row in errors] == [
        (1, "invalid-row"),
        (2, "model-failed"),
        (6, "invalid-row"),
        (8, "model-failed"),
    ]
    ended = flow.batch(batch)
    assert ended.status is BatchStatus.SUCCEEDED
    assert (ended.total, ended.succeeded, ended.failed, ended.invalid, ended.to_run) == (10, 6, 4, 2, 8)
    assert (ended.parts, ended.parts_done, ended.queued, ended.completed_at) == (3, 3, 0, flow.now)


@pytest.mark.parametrize("count", [1, 3, 4, 5, 8, 9])
def test_any_number_of_rows_is_cut_into_parts(count: int) -> None:
    flow = Flow(size=4)
    batch = flow.submitted([good(number) for number in range(count)])
    flow.settle()

    assert len(flow.rows(batch)[0]) == count
    assert flow.batch(batch).parts == -(-count // 4)


def test_a_batch_of_wrong_rows_alone_ends_with_an_empty_output() -> None:
    flow = Flow(size=4)
    batch = flow.submitted([BAD] * 9)
    flow.settle()

    output, errors = flow.rows(batch)
    assert (output, len(errors), flow.batch(batch).status) == ([], 9, BatchStatus.SUCCEEDED)


@pytest.mark.parametrize(("content", "why"), [([" "], "no rows"), (["[1]"], "no JSON object")])
def test_a_file_that_cannot_be_read_fails_its_batch_with_the_reason(content: list[str], why: str) -> None:
    flow = Flow()
    batch = flow.submitted(content)
    flow.settle()

    failed = flow.batch(batch)
    assert (failed.status, failed.total, failed.error and failed.error.code) == ("failed", None, "input-refused")
    assert why in str(failed.error)


def test_a_file_that_was_deleted_before_the_split_fails_its_batch() -> None:
    flow = Flow()
    batch = flow.submitted([good(0)])
    flow.uploads.forget(batch.provenance.input.key)
    flow.settle()

    assert "deleted" in str(flow.batch(batch).error)


def test_an_upload_after_the_submission_changes_nothing() -> None:
    flow = Flow()
    batch = flow.submitted([good(0), good(1)])
    flow.uploads.put(batch.provenance.input.key, b"something else")
    flow.settle()

    assert len(flow.rows(batch)[0]) == 2


def test_a_message_without_a_record_makes_it_of_the_request_that_was_kept() -> None:
    # GIVEN
    flow = Flow()
    batch = flow.submitted(MIXED)
    flow.records._batches.clear()

    # WHEN
    flow.settle()

    # THEN
    assert flow.batch(batch).status is BatchStatus.SUCCEEDED
    flow.rows(batch)


def test_a_message_of_an_unknown_batch_is_dropped() -> None:
    flow = Flow()
    flow.queue.send(JoinBatch(batch_id="x", tenant="north"))
    flow.settle()

    assert flow.records.get_many(["x"]) == {}


def test_at_most_a_window_of_parts_is_in_the_lane_and_each_brings_the_next() -> None:
    # GIVEN
    flow = Flow(size=1, window=3)
    flow.submitted([good(number) for number in range(10)])
    flow.step()

    # WHEN
    most = 0
    while flow.queue.messages:
        most = max(most, sum(isinstance(message, RunPart) for message in flow.queue.bodies))
        flow.step()

    # THEN
    assert most == 3


def test_a_lost_part_ends_with_errors_and_the_others_go_on() -> None:
    # GIVEN
    flow = Flow(size=2, window=1)
    batch = flow.submitted([good(0), BAD, good(2), good(3), good(4)])
    flow.step()
    part = flow.queue.messages.pop()[0]

    # WHEN
    flow.queue.send(lost(part))
    flow.queue.send(lost(part))
    flow.settle()

    # THEN
    output, errors = flow.rows(batch)
    assert [row["row"] for row in output] == [2, 3, 4]
    assert [(row["row"], row["code"]) for row in errors] == [(0, "dead-lettered"), (1, "invalid-row")]


def test_of_two_workers_that_end_a_part_differently_the_files_of_the_one_that_won_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # GIVEN a worker that has written its files, and another that gives the part up and dies before it says so
    flow = Flow(size=2)
    batch = flow.submitted([good(0), good(1)])
    flow.step()
    message = flow.queue.messages.pop()[0]
    finish_part, others = flow.records.finish_part, [lost(message)]

    def finish_late(running: Batch, part: Part, before: Part | None) -> bool:
        if part.failed:
            raise StorageUnavailable("dies here")
        with pytest.raises(StorageUnavailable):
            flow.deliver(others.pop())
        return finish_part(running, part, before)

    monkeypatch.setattr(flow.records, "finish_part", finish_late)

    # WHEN
    flow.deliver(message)
    flow.settle()

    # THEN
    output, errors = flow.rows(batch)
    assert ([row["row"] for row in output], errors) == ([0, 1], [])


def test_an_expired_batch_is_left_as_it_is() -> None:
    # GIVEN
    flow = Flow(size=1, window=1)
    batch = flow.submitted([good(0), good(1), good(2)])
    flow.step()
    flow.step()
    queued = flow.submitted([good(0)])
    before = flow.batch(batch)

    # WHEN
    flow.now += timedelta(days=2)
    flow.queue.send(JoinBatch(batch_id=batch.batch_id, tenant="north"))
    flow.queue.send(SplitBatch(batch_id=batch.batch_id, tenant="north"))
    flow.settle()

    # THEN
    assert flow.batch(batch) == before
    assert flow.batch(queued) == queued


def test_files_that_are_not_what_was_counted_are_not_joined() -> None:
    # GIVEN
    flow = Flow(size=2)
    batch = flow.submitted([good(0), good(1)])
    flow.step()
    flow.step()
    part = flow.records.part(batch.batch_id, 0)
    assert part is not None

    # WHEN
    key = BatchKeys(batch.batch_id, FileFormat.JSONL).part_output(part)
    flow.raw.put(key, b"{}\n")

    # THEN
    with pytest.raises(UnexpectedFault, match="somebody has changed them"):
        flow.step()
    assert flow.batch(batch).status is BatchStatus.RUNNING


def test_rows_with_match_ids_are_predicted_with_the_snapshot_of_the_submission() -> None:
    # GIVEN
    flow = Flow()
    known = [f"e0-2026-03-{day:02d}-alder-birch" for day in (1, 2)]
    rows = [{"match_id": known[0]}, {"match_id": "e0-2020-01-01-none-none"}, {"match_id": known[1]}]

    # WHEN
    batch = flow.submitted(rows)
    flow.settle()

    # THEN
    output, errors = flow.rows(batch)
    assert [row["match_id"] for row in output] == known
    assert [(row["row"], row["code"]) for row in errors] == [(1, "match-not-found")]


def test_parts_of_a_second_split_are_cut_as_those_of_the_first() -> None:
    # GIVEN a split that chose parts of four rows, and died before the record
    flow = Flow(size=3)
    batch = flow.submitted(MIXED)
    flow.raw.put(BatchKeys(batch.batch_id).cut, json.dumps(4).encode())

    # WHEN
    flow.settle()

    # THEN
    assert flow.batch(batch).part_rows == 4
    flow.rows(batch)


def lost(message: object) -> LosePart:
    """Return the message that ends a part."""
    assert isinstance(message, RunPart)
    return LosePart(**message.model_dump(exclude={"version", "kind"}))
