"""Batches as a client runs them, and what their files hold."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from matchcast_tools.stack.batches import BatchClient
from matchcast_tools.stack.result_files import ResultFiles, download
from tests.proofs.batch_input import BatchInput, custom_id

Watch = Callable[[dict[str, Any]], None]
"""Called with a batch each time that it is looked at."""


@dataclass(frozen=True)
class Finished:
    """A batch that has ended, with its files."""

    batch: dict[str, Any]
    files: ResultFiles

    @property
    def output(self) -> pa.Table:
        return pq.read_table(self.files.output)

    @property
    def errors(self) -> pa.Table:
        return pq.read_table(self.files.errors)

    @property
    def digests(self) -> tuple[str, str]:
        """SHA-256 of both files."""
        output, errors = (
            hashlib.sha256(path.read_bytes()).hexdigest() for path in (self.files.output, self.files.errors)
        )
        return output, errors

    def seconds(self, since: str = "created_at") -> float:
        """How long it took, from its submission on by default."""
        ended, began = (datetime.fromisoformat(self.batch[name]) for name in ("completed_at", since))
        return (ended - began).total_seconds()

    def counts_are_those_of_its_files(self) -> bool:
        """Whether the envelope says what the files hold, and both together are every row once."""
        counts, output, errors = self.batch["counts"], self.output, self.errors
        codes = errors.column("code").to_pylist()
        rows = np.concatenate([output.column("row").to_numpy(), errors.column("row").to_numpy()])
        return (
            counts["queued"] == 0
            and counts["succeeded"] == output.num_rows
            and counts["cancelled"] == sum(code == "cancelled" for code in codes)
            and counts["failed"] + counts["cancelled"] == errors.num_rows
            and np.array_equal(np.sort(rows), np.arange(counts["total"]))
        )


def watched(client: BatchClient, batch_id: str, watch: Watch = lambda _: None, pause: float = 0.1) -> dict[str, Any]:
    """Return a batch when it has ended, looked at often."""
    give_up = time.monotonic() + 3600
    while True:
        batch = client.status(batch_id)
        watch(batch)
        if batch["status"] in {"succeeded", "failed", "cancelled"}:
            return batch
        if time.monotonic() > give_up:
            raise RuntimeError(f"the batch has not ended: {batch}")
        time.sleep(pause)


def taken_home(client: BatchClient, batch_id: str, folder: Path, name: str) -> Finished:
    """Download the files of a batch."""
    files = ResultFiles(folder / f"{name}.parquet")
    return Finished(download(client, batch_id, files), files)


def every_good_row_once_in_order(done: Finished, source: BatchInput) -> bool:
    """Whether the output has exactly the good rows, in the order of the input, each with its own id."""
    output = done.output
    same_rows = np.array_equal(output.column("row").to_numpy(), source.good)
    return same_rows and output.column("custom_id").to_pylist() == [custom_id(int(row)) for row in source.good]


def every_bad_row_with_a_reason(done: Finished, source: BatchInput) -> bool:
    """Whether the error file has exactly the bad rows, in the order of the input, each with a code and a detail."""
    errors = done.errors
    told = all(errors.column(name).null_count == 0 for name in ("code", "detail"))
    return told and np.array_equal(errors.column("row").to_numpy(), source.bad)


def codes(done: Finished) -> dict[str, int]:
    """Return how many errors there are of each code."""
    counted = done.errors.column("code").value_counts().to_pylist()
    return {item["values"]: item["counts"] for item in counted}
