"""One file made of those of many parts, a few of which are in memory at a time."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import pyarrow as pa

from matchcast.batches.part_files import count_rows, decode_table, parquet_writer
from matchcast.domain.batch import FileFormat

if TYPE_CHECKING:
    from typing import BinaryIO

    import pyarrow.parquet as pq

CONTENT_TYPES = {FileFormat.PARQUET: "application/vnd.apache.parquet", FileFormat.JSONL: "application/x-ndjson"}
ROWS_A_GROUP = 65_536
"""Rows of a row group, whatever the parts have: of small parts readers would get a thousand tiny groups."""


class JoinedFile:
    """Writes a local file, part by part.

    Attributes
    ----------
    path
        Where it is.
    rows
        How many rows it has so far.
    """

    def __init__(self, path: Path, schema: pa.Schema, file_format: FileFormat) -> None:
        self.path = path
        self.rows = 0
        self._schema = schema
        self._format = file_format
        self._file: BinaryIO = path.open("wb")
        is_parquet = file_format is FileFormat.PARQUET
        self._writer: pq.ParquetWriter | None = parquet_writer(self._file, schema) if is_parquet else None
        self._waiting: pa.Table = schema.empty_table()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._file:
            if self._writer is not None:
                if kind is None and self._waiting.num_rows:
                    self._write(self._waiting)
                self._writer.close()

    def add(self, body: bytes) -> None:
        """Add the file of the next part."""
        self.rows += count_rows(body, self._format)
        if self._writer is None:
            self._file.write(body)
            return
        self._waiting = pa.concat_tables([self._waiting, decode_table(body, self._format, self._schema)])
        while self._waiting.num_rows >= ROWS_A_GROUP:
            self._write(self._waiting.slice(0, ROWS_A_GROUP))
            self._waiting = self._waiting.slice(ROWS_A_GROUP)

    def _write(self, group: pa.Table) -> None:
        assert self._writer is not None  # noqa: S101 - only parquet has groups
        self._writer.write_table(group.combine_chunks(), row_group_size=ROWS_A_GROUP)
