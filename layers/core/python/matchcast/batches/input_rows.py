"""Reading the input of a batch: rows in chunks, in one pass, with what is wrong with each wrong row."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from matchcast.batches.csv_rows import read_csv
from matchcast.batches.input_cells import Chunk, RawRows, RowError
from matchcast.batches.input_judging import Judge
from matchcast.batches.input_text import TextBlocks
from matchcast.batches.jsonl_rows import read_jsonl
from matchcast.batches.parquet_rows import read_parquet
from matchcast.domain.batch import MOST_BYTES, MOST_ROWS, FileFormat, InputFile
from matchcast.domain.signature import Signature
from matchcast.errors import InputRefused
from matchcast.snapshots.features import FeatureTable

__all__ = ["Chunk", "InputReader", "RowError"]


class InputReader:
    """Reads input files as rows of a model's features.

    Parameters
    ----------
    signature
        The inputs of the model.
    features
        Those of the snapshot's matches; None where there is no snapshot. It may lack some as long as no row asks.
    most_rows, most_bytes
        Of a file; bytes count as uploaded, and as unpacked.
    """

    def __init__(
        self,
        signature: Signature,
        features: FeatureTable | None,
        *,
        most_rows: int = MOST_ROWS,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._signature = signature
        self._judge = Judge(signature, features)
        self._most_rows = most_rows
        self._most_bytes = most_bytes

    def read(self, path: Path, file: InputFile, chunk_rows: int) -> Iterator[Chunk]:
        """Yield the rows in order, `chunk_rows` at a time; the last chunk has the rest.

        Raises
        ------
        InputRefused
            If the file is not what its name says, is damaged or empty, has too many rows or bytes, or has other columns
            than the model; or if rows name matches, and the snapshot does not have the features for them.
        """
        if (size := path.stat().st_size) > self._most_bytes:
            raise InputRefused(f"The file has {size} bytes; send at most {self._most_bytes} in one file.")
        first = 0
        for raw in self._raw(path, file, chunk_rows):
            if first + raw.count > self._most_rows:
                raise InputRefused(f"The file has more than {self._most_rows} rows; send several files.")
            yield self._judge.chunk(first, raw)
            first += raw.count
        if first == 0:
            raise InputRefused("The file has no rows; send at least one.")

    def _raw(self, path: Path, file: InputFile, chunk_rows: int) -> Iterator[RawRows]:
        if file.format is FileFormat.PARQUET:
            if file.gzipped:
                raise InputRefused("Parquet is not packed with gzip as a whole; send it as it is.")
            limits = {"most_rows": self._most_rows, "most_bytes": self._most_bytes}
            return read_parquet(path, self._signature, chunk_rows, **limits)
        is_csv = file.format is FileFormat.CSV
        name = "CSV" if is_csv else "JSON Lines"
        blocks = TextBlocks(path, name, gzipped=file.gzipped, most_bytes=self._most_bytes)
        return (read_csv if is_csv else read_jsonl)(blocks, self._signature, chunk_rows)
