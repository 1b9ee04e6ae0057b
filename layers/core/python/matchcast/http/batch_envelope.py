"""The batch envelope: what clients see of a batch, its parts, and an upload."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from aws_lambda_powertools.event_handler import Response
from pydantic import BaseModel, ConfigDict, Field

from matchcast.batches.track import Progress
from matchcast.domain.batch import Batch, BatchKeys, BatchStatus, FileFormat, Part, Provenance
from matchcast.domain.task import TaskError

_LEAST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 2, 60
_BYTES_A_SECOND = 20_000_000

Link = Callable[[str, str], str]
"""Makes a presigned address of an object, of its key and the name under which a browser keeps it."""


class Upload(BaseModel):
    """A form for one file: send `fields`, in this order, and then the file as `file`, as multipart/form-data."""

    input: str = Field(
        description="What `POST /predict/batch/` takes as `input`, once the file is there.",
        examples=["input/4f1c8b7a9d2e/019cb2d1-7c00-7000-8000-000000000000.csv"],
    )
    url: str = Field(description="Where to send the form.", examples=["https://files.example.com/"])
    fields: dict[str, str] = Field(examples=[{"key": "input/4f1c8b7a9d2e/019cb2d1-7c00-7000-8000-000000000000.csv"}])
    max_bytes: int = Field(description="A longer file is refused.", examples=[1_073_741_824])
    expires_at: datetime = Field(description="Until then the form can be sent.")


class RowCounts(BaseModel):
    """How many rows are in which state; once the batch has ended, `queued` is 0 and its files hold the others."""

    total: int | None = Field(description="Rows of the input; null until it was read.", examples=[1000])
    queued: int | None = Field(description="Rows that have not ended; null until the input was read.", examples=[0])
    succeeded: int = Field(description="Rows of the output file.", examples=[990])
    failed: int = Field(description="Rows of the error file that are wrong, or whose prediction failed.", examples=[10])
    cancelled: int = Field(description="The other rows of the error file.", examples=[0])


class BatchProgress(BaseModel):
    """How far the present generation has come."""

    parts: int | None = Field(description="Null until the input was split.", examples=[1])
    parts_done: int = Field(examples=[1])
    rows_per_second: float | None = Field(description="Null until a part has ended.", examples=[2500.0])
    estimated_end: datetime | None = Field(description="While it runs, once a part has ended.", examples=[None])


class FileLinks(BaseModel):
    """Addresses at which files can be read for some minutes; null where they were not asked for or are not there."""

    output: str | None = Field(description="The predictions, in input order.", examples=[None])
    errors: str | None = Field(description="Every other row, with its reason, in input order.", examples=[None])


class BatchLinks(FileLinks):
    """Where to look next."""

    status: str = Field(
        description="Path of the batch's status.", examples=["/predict/batch/019cb2d1-7c00-7000-8000-000000000000"]
    )


class PartEnvelope(BaseModel):
    """A part that has ended."""

    model_config = ConfigDict(title="BatchPart")

    number: int = Field(examples=[0])
    first_row: int = Field(description="Number of its first row in the input; the first is 0.", examples=[0])
    rows: int = Field(examples=[1000])
    succeeded: int = Field(examples=[990])
    failed: int = Field(examples=[10])
    generation: int = Field(description="The generation in which it ended.")
    links: FileLinks


class BatchEnvelope(BaseModel):
    """A batch, with everything but its tenant."""

    model_config = ConfigDict(title="Batch")

    batch_id: str = Field(examples=["019cb2d1-7c00-7000-8000-000000000000"])
    status: BatchStatus
    stage: str
    output_format: FileFormat
    counts: RowCounts
    progress: BatchProgress
    provenance: Provenance
    error: TaskError | None
    generation: int = Field(description="Rises each time that its failed rows are run again.")
    created_at: datetime
    started_at: datetime | None = Field(description="When the parts of the present generation were made.")
    completed_at: datetime | None
    expires_at: datetime = Field(description="Until then the batch is readable; then 410 for seven days, then 404.")
    links: BatchLinks
    parts: list[PartEnvelope] | None = Field(
        default=None, description="Up to 100 parts that have ended, with `?parts=true`.", examples=[None]
    )


class BatchList(BaseModel):
    """One page of batches, newest first."""

    items: list[BatchEnvelope]
    next_cursor: str | None = Field(description="Pass it as `cursor` for the next page; null on the last one.")


def batch_path(batch_id: str) -> str:
    """Return the path of a batch."""
    return f"/predict/batch/{batch_id}"


def batch_envelope(
    batch: Batch, speed: Progress, link: Link | None = None, parts: Sequence[Part] | None = None
) -> BatchEnvelope:
    """Return what clients see of a batch.

    Parameters
    ----------
    batch, speed
        The batch, and how fast its present generation goes.
    link
        Makes the addresses of files; without it there are none.
    parts
        The parts to show, which have ended.
    """
    content = batch.model_dump(include=set(BatchEnvelope.model_fields) & set(Batch.model_fields) - {"parts"})
    files = FileLinks(output=None, errors=None)
    if link is not None and batch.status.is_final and batch.output_generation is not None:
        keys, ending = BatchKeys(batch.batch_id, batch.output_format), batch.output_format.value
        files = FileLinks(
            output=link(keys.output(batch.output_generation), f"{batch.batch_id}.{ending}"),
            errors=link(keys.errors(batch.output_generation), f"{batch.batch_id}.errors.{ending}"),
        )
    return BatchEnvelope(
        **content,
        stage=batch.provenance.model.stage,
        counts=RowCounts(
            total=batch.total,
            queued=batch.queued,
            succeeded=batch.succeeded,
            failed=batch.failed,
            cancelled=batch.cancelled,
        ),
        progress=BatchProgress(
            parts=batch.parts,
            parts_done=batch.parts_done,
            rows_per_second=speed.rows_per_second and round(speed.rows_per_second, 1),
            estimated_end=speed.ends_at,
        ),
        links=BatchLinks(status=batch_path(batch.batch_id), **files.model_dump()),
        parts=None if parts is None else [part_envelope(batch, part, link) for part in parts],
    )


def part_envelope(batch: Batch, part: Part, link: Link | None) -> PartEnvelope:
    """Return what clients see of a part that has ended."""
    keys, ending = BatchKeys(batch.batch_id, batch.output_format), batch.output_format.value
    files = FileLinks(output=None, errors=None)
    if link is not None:
        name = f"{batch.batch_id}-{part.number:05d}"
        files = FileLinks(
            output=link(keys.part_output(part), f"{name}.{ending}"),
            errors=link(keys.part_errors(part), f"{name}.errors.{ending}"),
        )
    counts = part.model_dump(include={"number", "rows", "succeeded", "failed", "generation"})
    return PartEnvelope(**counts, first_row=part.number * (batch.part_rows or 0), links=files)


def accepted_batch(batch: Batch, speed: Progress) -> Response[Any]:
    """Return the 202 of a batch that is to be run: where to ask, and after how many seconds."""
    wait = _LEAST_WAIT_SECONDS + batch.provenance.input.size // _BYTES_A_SECOND
    headers = {"Location": batch_path(batch.batch_id), "Retry-After": str(min(wait, _LONGEST_WAIT_SECONDS))}
    return Response(202, body=batch_envelope(batch, speed), headers=headers)
