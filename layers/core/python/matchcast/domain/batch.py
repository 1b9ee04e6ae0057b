"""A batch: many predictions of one model version over one snapshot, run in parts of some thousand rows.

The input is cut at fixed rows: part p holds the rows [p * part_rows, (p + 1) * part_rows). A part ends by one
transaction that writes its counts and adds them to those of the batch, so that both always agree.

A batch runs in generations: a retry of its failed rows raises the generation, and runs those parts alone that have any.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from matchcast.domain.prediction import ModelRef
from matchcast.domain.task import GONE_FOR, TaskError

MOST_ROWS = 5_000_000
MOST_BYTES = 1024**3
"""Of an input file as it is uploaded, and as it is after decompression."""
MOST_IDS_BYTES = 5_000_000
"""Of a body with match ids: what fits, as text in an event, into the 6 MB that a function receives."""
SNAPSHOTS_TENANT = "/snapshots"
"""Whose batches are those that predict the matches of snapshots: no tenant of a token begins with this character."""


class BatchStatus(StrEnum):
    """The state of a batch."""

    QUEUED = "queued"
    """Accepted, or to be run again; it has not been split into parts yet."""
    RUNNING = "running"
    """Its parts run, or its files are being joined."""
    CANCELLING = "cancelling"
    """No part ends any more; its files are being joined."""
    SUCCEEDED = "succeeded"
    """Every row is in the output file or in the error file."""
    FAILED = "failed"
    """It could not be run; `error` says why."""
    CANCELLED = "cancelled"
    """What had ended before is in the output file; every other row is in the error file."""

    @property
    def is_final(self) -> bool:
        """Return whether only a retry can still change the batch."""
        return self in (BatchStatus.SUCCEEDED, BatchStatus.FAILED, BatchStatus.CANCELLED)


class FileFormat(StrEnum):
    """What a file holds."""

    PARQUET = "parquet"
    CSV = "csv"
    JSONL = "jsonl"


@dataclass(frozen=True, slots=True)
class RowError:
    """Why a row has no prediction: a code, a JSON Pointer to the column ("": the whole row), and what to do."""

    code: str
    pointer: str
    detail: str


class InputFile(BaseModel):
    """The input, pinned: a later upload under its key is another version, and not read.

    `gzipped` is what the key's name says; whether the content agrees is found when it is read.
    """

    model_config = ConfigDict(frozen=True)

    key: str
    version_id: str | None = Field(description="Null where the bucket keeps no versions.")
    etag: str
    size: int = Field(ge=0, description="Bytes, as uploaded.")
    format: FileFormat
    gzipped: bool = False


class Provenance(BaseModel):
    """What every row of a batch is predicted with, whatever is released meanwhile."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    model: ModelRef
    model_files: dict[str, str] = Field(description="SHA-256 of each file of the model.")
    snapshot_id: str | None = Field(description="The snapshot whose features are read for rows with a match_id.")
    snapshot_features: str | None = Field(description="SHA-256 of its file of features.")
    input: InputFile


class Batch(BaseModel):
    """The batch record.

    `total` and `parts` are null until the input was split. While it runs, `parts` and `parts_done` are those of the
    present generation. `failed` counts rows of the error file that are wrong or failed, `cancelled` its other rows.
    """

    model_config = ConfigDict(frozen=True)

    batch_id: str
    tenant: str
    status: BatchStatus = BatchStatus.QUEUED
    generation: int = 0
    output_format: FileFormat = FileFormat.PARQUET
    provenance: Provenance
    total: int | None = None
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    invalid: int = Field(default=0, description="Rows that were wrong in the input; `failed` counts them too.")
    part_rows: int | None = None
    parts: int | None = None
    parts_done: int = 0
    to_run: int | None = Field(default=None, description="Rows that the present generation runs, in all.")
    error: TaskError | None = None
    created_at: datetime
    started_at: datetime | None = Field(default=None, description="When the present generation was split.")
    completed_at: datetime | None = None
    expires_at: datetime
    callback_url: str | None = None
    output_generation: int | None = Field(default=None, description="The generation whose files have been joined.")

    @property
    def queued(self) -> int | None:
        """Return how many rows still wait for their end; None before the input was split."""
        return None if self.total is None else self.total - self.succeeded - self.failed - self.cancelled

    @property
    def all_parts_done(self) -> bool:
        """Return whether every part of the present generation has ended."""
        return self.parts is not None and self.parts_done >= self.parts

    def is_readable_at(self, now: datetime) -> bool:
        """Return whether the batch is still within its lifetime (else 410, then 404)."""
        return now < self.expires_at

    def is_remembered_at(self, now: datetime) -> bool:
        """Return whether the batch is readable, or expired within the last seven days (410)."""
        return now < self.expires_at + GONE_FOR


class Part(BaseModel):
    """How a part ended in its last generation; a part that never did has no record.

    `rows = succeeded + failed`; `invalid` of the failed rows were wrong in the input, and are not tried again.
    """

    model_config = ConfigDict(frozen=True)

    number: int = Field(ge=0)
    generation: int = Field(ge=0)
    rows: int = Field(ge=0)
    invalid: int = Field(ge=0)
    succeeded: int = Field(ge=0)
    failed: int = Field(ge=0)
    files: str = Field(default="", description="What tells its files from those of other workers: a digest of them.")

    @property
    def retriable(self) -> int:
        """Return how many rows a retry runs again."""
        return self.failed - self.invalid


class BatchKeys:
    """Where the files of a batch are. Each generation has names of its own: no later write changes a file that counts.

    Two workers may end one part differently, of whom one wins. So files of parts are named by what they hold as well.

    Parameters
    ----------
    batch_id
        Its id.
    output_format
        The format of what clients read; parts that only workers read are parquet.
    """

    def __init__(self, batch_id: str, output_format: FileFormat = FileFormat.PARQUET) -> None:
        self._folder = f"batches/{batch_id}/"
        self._ending = output_format.value

    @property
    def folder(self) -> str:
        """Return the prefix of all of them."""
        return self._folder

    @property
    def request(self) -> str:
        """Return the key of what was accepted: the pinned model and snapshot (JSON)."""
        return f"{self._folder}request.json"

    @property
    def match_ids(self) -> str:
        """Return the key of the match ids that came in a body (JSON Lines)."""
        return f"{self._folder}match_ids.jsonl"

    def part_input(self, number: int) -> str:
        """Return the key of the rows of a part (parquet)."""
        return f"{self._folder}input/{number:05d}.parquet"

    def plan(self, generation: int) -> str:
        """Return the key of the numbers of the parts that a later generation runs (JSON)."""
        return f"{self._folder}plans/{generation}.json"

    @property
    def cut(self) -> str:
        """Return the key of how many rows a part has (JSON): whoever splits first decides."""
        return f"{self._folder}cut.json"

    def part_output(self, part: Part) -> str:
        """Return the key of a part's predictions."""
        return f"{self._folder}parts/{part.number:05d}-{part.generation}-{part.files}.{self._ending}"

    def part_errors(self, part: Part) -> str:
        """Return the key of a part's errors."""
        return f"{self._folder}parts/{part.number:05d}-{part.generation}-{part.files}.errors.{self._ending}"

    def output(self, generation: int) -> str:
        """Return the key of all predictions, in input order."""
        return f"{self._folder}output-{generation}.{self._ending}"

    def errors(self, generation: int) -> str:
        """Return the key of all errors, in input order."""
        return f"{self._folder}errors-{generation}.{self._ending}"
