"""The files of a batch that has ended, on this machine: whole and counted, or not there."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from matchcast.domain.batch import FileFormat
from matchcast_tools.errors import BadInput, EnvironmentProblem
from matchcast_tools.stack.batches import BatchClient
from matchcast_tools.stack.transfers import Moved, attempts, fetch_file


@dataclass(frozen=True, slots=True)
class ResultFiles:
    """Where the predictions and the errors of a batch go: the errors beside the predictions."""

    output: Path

    @property
    def errors(self) -> Path:
        """Return the file of errors: `x.errors.parquet` beside `x.parquet`."""
        return self.output.with_name(f"{self.output.stem}.errors{self.output.suffix}")

    def check(self, source: Path | None = None) -> None:
        """Refuse, before anything is sent, what nothing can be written to.

        Raises
        ------
        BadInput
            If there is no such folder, one of the files is a folder, or one is the input.
        """
        for path in (self.output, self.errors):
            if not path.parent.is_dir():
                raise BadInput(f"There is no folder {path.parent} for {path.name}. Make it, or give another --out.")
            if path.is_dir():
                raise BadInput(f"{path} is a folder. Give --out a file.")
            if source is not None and path.exists() and path.samefile(source):
                raise BadInput(f"{path} is the input. Give --out another file.")


def download(
    client: BatchClient, batch_id: str, files: ResultFiles, moved: Callable[[str], Moved] = lambda _: lambda *_: None
) -> dict[str, Any]:
    """Write the files of a batch, both or none, and return the batch.

    Raises
    ------
    BadInput
        If the batch has no files.
    EnvironmentProblem
        If they cannot be read, or have other rows than the batch says.
    """
    batch = client.status(batch_id)
    counts = batch["counts"]
    wanted = {
        "output": (files.output, counts["succeeded"]),
        "errors": (files.errors, counts["failed"] + counts["cancelled"]),
    }
    with ExitStack() as stack:
        made: list[tuple[Path, Path]] = []
        for kind, (path, rows) in wanted.items():
            temporary = path.with_name(f".{path.name}.{uuid4().hex}")
            stack.callback(temporary.unlink, missing_ok=True)
            # Each attempt asks for an address of its own: one is good for minutes only.
            attempts(partial(_fetch, client, batch_id, kind, temporary, moved(kind)))
            found = count_rows(temporary, FileFormat(batch["output_format"]))
            if found != rows:
                raise EnvironmentProblem(
                    f"The {kind} file of the batch {batch_id} has {found} rows, and its counts say {rows}. If its "
                    "failed rows were run again meanwhile, download it once more when that has ended."
                )
            made.append((temporary, path))
        for temporary, path in made:
            temporary.replace(path)
    return batch


def _fetch(client: BatchClient, batch_id: str, kind: str, path: Path, moved: Moved) -> None:
    batch = client.status(batch_id, links="true")
    url = batch["links"][kind]
    if url is None:
        why = (batch["error"] or {}).get("detail") or "It has not ended, or was cancelled before it was read."
        raise BadInput(f"The batch {batch_id} is {batch['status']} and has no files: {why}")
    fetch_file(url, path, moved)


def count_rows(path: Path, file_format: FileFormat) -> int:
    """Return how many rows a file has.

    Raises
    ------
    EnvironmentProblem
        If it cannot be read.
    """
    if file_format is FileFormat.JSONL:
        with path.open("rb") as file:
            return sum(block.count(b"\n") for block in iter(partial(file.read, 1 << 20), b""))
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return int(pq.read_metadata(path).num_rows)
    except (pa.ArrowException, OSError) as error:
        raise EnvironmentProblem(f"What was downloaded is no Parquet file ({error}). Try again.") from error
