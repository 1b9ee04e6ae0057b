"""That findings about batches can be trusted, and that transactions meet, repeat and explain themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from matchcast.adapters.batch_items import batch_item, part_key, part_values
from matchcast.batches.part_files import ERRORS, OUTPUT, encode_table
from matchcast.domain.batch import Batch, BatchKeys, BatchStatus
from matchcast.domain.task import TaskError
from matchcast.errors import UnexpectedFault
from tests.faults.batch_rows import Row, expected
from tests.faults.bucket import MATCHES, SNAPSHOTS
from tests.faults.stage import Stage
from tests.faults.wire import client
from tests.support.stored_batches import a_batch, a_part, running
from tests.support.tasks import NOW

_GOOD = next(iter(MATCHES))
_S = BatchStatus


def transaction(token: str, succeeded: int = 1) -> dict[str, Any]:
    """Return a transaction of one update."""
    update = {
        "TableName": "tasks",
        "Key": {"pk": {"S": "batch#1"}, "sk": {"S": "batch"}},
        "UpdateExpression": "ADD succeeded :succeeded",
        "ExpressionAttributeValues": {":succeeded": {"N": str(succeeded)}},
    }
    return {"TransactItems": [{"Update": update}], "ClientRequestToken": token}


def test_transactions_that_meet_are_cancelled_and_one_that_is_repeated_is_done_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # GIVEN an item that a transaction is writing
    monkeypatch.setattr("tests.faults.transactions._LONGEST_SECONDS", 1000.0)
    stage = Stage()
    stage.world.table.on_write = lambda _before, _after: None

    def act() -> None:
        table = client("dynamodb")
        table.transact_write_items(**transaction("one"))

        # WHEN another one comes, the same one again, and another one with its token
        # THEN
        with pytest.raises(ClientError) as met:
            table.transact_write_items(**transaction("two"))
        reason = {"Code": "TransactionConflict", "Message": "Transaction is ongoing for the item"}
        assert met.value.response["CancellationReasons"] == [reason]
        table.transact_write_items(**transaction("one"))
        with pytest.raises(ClientError, match="IdempotentParameterMismatch"):
            table.transact_write_items(**transaction("one", succeeded=2))
        item = stage.world.table.now_of(("batch#1", "batch"))
        assert item is not None
        assert item["succeeded"] == {"N": "1"}

    stage.play(act)


def test_steps_of_a_batch_that_are_illegal_or_have_no_cause_are_noticed() -> None:
    # GIVEN a batch in several states
    batch = running(a_batch())
    queued, final = a_batch(batch_id=batch.batch_id), batch.model_copy(update={"status": _S.SUCCEEDED})
    later = batch.model_copy(update={"status": _S.QUEUED, "generation": 1})
    other = batch.model_copy(update={"total": 5})
    cancelling = batch.model_copy(update={"status": _S.CANCELLING})
    defect = TaskError(code=UnexpectedFault.code, detail="")
    failed = batch.model_copy(update={"status": _S.FAILED, "error": defect, "completed_at": NOW})
    again = later.model_copy(update={"status": _S.RUNNING})

    # WHEN it goes from one to another
    # THEN
    assert findings(None, queued) == findings(queued, batch) == []
    assert findings(batch, later) == [f"illegal: ..{batch.batch_id[-4:]}: running g0 -> queued g1"]
    assert "another batch" in findings(batch, other)[0]
    assert "nobody asked for that" in findings(batch, cancelling)[0]
    assert "that is a defect" in findings(batch, failed)[0]
    assert "plans/1.json counts, and is not there" in findings(later, again)[0]
    assert "its files are not there" in findings(batch, final)[0]
    assert "counts (3, 0, 0), its parts (0, 0, 0)" in findings(queued, batch.model_copy(update={"succeeded": 3}))[0]


def findings(before: Batch | None, after: Batch) -> list[str]:
    """Return what a change of a record shows."""
    stage = Stage()
    stage.world.batches.asked[after.batch_id] = ()
    stage.world.batches.inputs[after.provenance.input.key, "1"] = ()
    stage.play(lambda: stage.world.batches.written(None if before is None else batch_item(before), batch_item(after)))
    return stage.findings.lines()


def test_a_part_ends_once_a_generation_and_its_counts_are_those_of_its_batch() -> None:
    # GIVEN a running batch, which counts nothing yet
    stage, batch, part = Stage(), running(a_batch()), a_part()
    batches, key = stage.world.batches, part_key(batch.batch_id, 0)
    stage.world.table._versions.clear()

    def act() -> None:
        table = stage.world.table
        table.on_write = lambda _before, _after: None
        table.write((("batch#" + batch.batch_id, "batch"), batch_item(batch)))

        # WHEN a part of it ends, and ends once more
        batches.written(None, {**key, **part_values(part)})
        batches.written({**key, **part_values(part)}, {**key, **part_values(part.model_copy(update={"failed": 9}))})

    # THEN
    stage.play(act)
    assert any("counts (0, 0, 0), its parts (7, 2, 1)" in line for line in stage.findings.changed)
    assert len(stage.findings.illegal) == 1


def the_right_files(right: tuple[float, ...]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the rows of both files of a batch of a good and a wrong row."""
    who: dict[str, Any] = {"row": 0, "custom_id": "a", "match_id": _GOOD}
    output = [{**who, "home": right[0], "draw": right[1], "away": right[2]}]
    wrong = {"row": 1, "custom_id": "b", "match_id": None, "code": "invalid-request", "pointer": "", "detail": "no"}
    return output, [wrong]


def _another_value(output: Any, _: Any) -> None:
    output[0]["home"] = 0.0


def _twice(output: Any, errors: Any) -> None:
    errors.insert(0, {**errors[0], "row": 0, "custom_id": "a", "match_id": output[0]["match_id"]})


def _another_id(output: Any, _: Any) -> None:
    output[0]["custom_id"] = "c"


def _failed(output: Any, errors: Any) -> None:
    row = output.pop()
    errors.insert(0, {**errors[0], **{name: row[name] for name in ("row", "custom_id", "match_id")}})


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (lambda *_: None, None),
        (_another_value, "has a wrong prediction of row 0"),
        (_twice, "has the rows [0] and [0, 1] of 2"),
        (_another_id, "has other ids in row 0"),
        (_failed, "there is no letter of its part with that cause"),
        (lambda output, _: output.clear(), "has the rows [] and [1] of 2"),
    ],
)
def test_the_files_of_a_batch_have_each_row_once_with_what_is_right(
    change: Callable[[Any, Any], None], finding: str | None
) -> None:
    # GIVEN a batch of a good and a wrong row, and what its files should be
    stage, batch = Stage(), running(a_batch(), parts=1)
    provenance = batch.provenance.model_copy(update={"snapshot_id": SNAPSHOTS[0]})
    rows = (Row("a", _GOOD), Row("b", None, (1.0, None)))
    right = expected(rows[0], provenance.model.version, SNAPSHOTS[0])
    assert right is not None
    files = the_right_files(right)
    stage.world.batches.inputs[provenance.input.key, "1"] = rows

    # WHEN it ends with files that are a little different
    change(*files)
    ends = {"status": _S.SUCCEEDED, "total": 2, "succeeded": len(files[0]), "failed": len(files[1]), "invalid": 1}
    final = batch.model_copy(update={**ends, "provenance": provenance, "output_generation": 0, "completed_at": NOW})
    keys = BatchKeys(batch.batch_id)
    before = batch.model_copy(update={"provenance": provenance, "total": 2})

    def act() -> None:
        for key, content, schema in ((keys.output(0), files[0], OUTPUT), (keys.errors(0), files[1], ERRORS)):
            table = schema.empty_table().from_pylist(content, schema=schema)
            stage.world.s3.put(key, encode_table(table, batch.output_format))
        stage.world.batches.written(batch_item(before), batch_item(final))
        stage.world.s3.put(keys.output(0), stage.world.s3.stored[keys.output(0)].body)

    # THEN
    stage.play(act)
    assert bool(stage.findings) is (finding is not None)
    assert (finding or "") in " ".join(stage.findings.lines())
