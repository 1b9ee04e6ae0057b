"""The files of a batch that has ended: each row once, in input order, with its right prediction or a cause."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from matchcast.batches.part_files import decode_errors, decode_output
from matchcast.domain.batch import Batch, BatchKeys, BatchStatus
from tests.faults.batch_rows import Row, expected, may_fail
from tests.faults.bucket import is_close
from tests.faults.findings import Findings, short

if TYPE_CHECKING:
    from tests.faults.batches import Batches
    from tests.faults.s3 import S3

_MODEL_FAILED = "model-failed"
Probabilities = tuple[float, float, float]


@dataclass(frozen=True)
class Files:
    """Both files of a generation, by their keys and what they hold."""

    keys: tuple[str, str]
    digests: tuple[str, str]
    predictions: dict[int, Probabilities]
    errors: dict[int, str]


def digest_of(s3: S3, key: str) -> str:
    """Return a digest of an object, or nothing where there is none."""
    stored = s3.stored.get(key)
    return "" if stored is None else hashlib.sha256(stored.body).hexdigest()


def judged(batches: Batches, findings: Findings, batch: Batch, rows: tuple[Row, ...]) -> Files | None:
    """Return the files of a batch that ends with some, and add what is wrong with them to the findings."""
    s3, what = batches.world.s3, short(batch.batch_id)
    keys = BatchKeys(batch.batch_id, batch.output_format)
    names = keys.output(batch.generation), keys.errors(batch.generation)
    if batch.output_generation != batch.generation or any(name not in s3.stored for name in names):
        findings.lost.append(f"{what} has ended, and its files are not there")
        return None
    bodies = [s3.stored[name].body for name in names]
    output = _records(decode_output, bodies[0], batch.output_format)
    errors = _records(decode_errors, bodies[1], batch.output_format)
    _judge_rows(findings, batch, rows, output, errors)
    for record in output:
        row = _row(rows, record)
        right = expected(row, batch.provenance.model.version, batch.provenance.snapshot_id or "") if row else None
        if right is None or not is_close((record["home"], record["draw"], record["away"]), right):
            findings.changed.append(f"{what} has a wrong prediction of row {record['row']}")
    for record in errors:
        if why := _needless(batches, batch, _row(rows, record), record):
            findings.needless.append(f"{what}: row {record['row']}: {record['code']}: {why}")
    return Files(
        keys=names,
        digests=(digest_of(s3, names[0]), digest_of(s3, names[1])),
        predictions={record["row"]: (record["home"], record["draw"], record["away"]) for record in output},
        errors={record["row"]: record["code"] for record in errors},
    )


def _judge_rows(findings: Findings, batch: Batch, rows: tuple[Row, ...], output: Any, errors: Any) -> None:
    what = short(batch.batch_id)
    numbers = [[record["row"] for record in records] for records in (output, errors)]
    if sorted([*numbers[0], *numbers[1]]) != list(range(len(rows))):
        findings.lost.append(f"{what} has the rows {numbers[0]} and {numbers[1]} of {len(rows)}")
    if numbers != [sorted(each) for each in numbers]:
        findings.changed.append(f"{what} has its rows in another order")
    for record in (*output, *errors):
        row = _row(rows, record)
        if row is not None and (row.custom_id, row.match_id) != (record["custom_id"], record["match_id"]):
            findings.changed.append(f"{what} has other ids in row {record['row']}")
    cancelled = sum(record["code"] == "cancelled" for record in errors)
    counted = (batch.total, batch.succeeded, batch.failed, batch.cancelled)
    found = (len(rows), len(output), len(errors) - cancelled, cancelled)
    if counted != found:
        findings.changed.append(f"{what} counts {counted} rows, and its files have {found}")


def _needless(batches: Batches, batch: Batch, row: Row | None, record: Any) -> str:
    """Return why a row should not have its error; nothing where it has a cause."""
    if row is None:
        return ""
    code = record["code"]
    provenance = batch.provenance
    if expected(row, provenance.model.version, provenance.snapshot_id or "") is None:
        passing = code in ("cancelled", "dead-lettered", _MODEL_FAILED)
        return "the row is wrong as it was sent, and that is not said" if passing else ""
    if code == "cancelled":
        is_cancelled = batch.status is BatchStatus.CANCELLED and batch.batch_id in batches.cancelled
        return "" if is_cancelled else "nobody asked for that"
    if code == _MODEL_FAILED:
        return "" if may_fail(row) else "the model answers that"
    part = (batch.batch_id, record["row"] // (batch.part_rows or 1))
    if any((*part, generation, code) in batches.part_letters for generation in range(batch.generation + 1)):
        return ""
    return "there is no letter of its part with that cause"


def _row(rows: tuple[Row, ...], record: Any) -> Row | None:
    return rows[record["row"]] if 0 <= record["row"] < len(rows) else None


def _records(decode: Any, body: bytes, file_format: Any) -> list[dict[str, Any]]:
    return _decoded(decode, body, file_format)


@lru_cache(64)
def _decoded(decode: Any, body: bytes, file_format: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = decode(body, file_format).to_pylist()
    return found
