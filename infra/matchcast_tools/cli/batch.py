"""`matchcast batch run | submit | wait | list | show | cancel | retry-failed | download`: many predictions at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from matchcast.domain.batch import FileFormat
from matchcast_tools.cli import output
from matchcast_tools.cli.batch_source import FROM_STDIN, Source, read_source
from matchcast_tools.cli.batch_views import hint_at, moving_bytes, row_bar, show_batch, show_batches, summary
from matchcast_tools.cli.options import AsJson, CallbackUrl, number
from matchcast_tools.errors import BadInput
from matchcast_tools.stack.api_client import ApiClient
from matchcast_tools.stack.batches import BatchClient
from matchcast_tools.stack.find_stack import find_stack
from matchcast_tools.stack.result_files import ResultFiles, download

INTERRUPTED = 130


class OutputFormat(StrEnum):
    """What the files of predictions and errors are."""

    PARQUET = "parquet"
    JSONL = "jsonl"


File = Annotated[
    str,
    typer.Argument(
        help="Rows as .csv, .jsonl (also .gz) or .parquet; match ids, one a line, as .txt, or - for the standard input."
    ),
]
BatchId = Annotated[str, typer.Argument(help="A batch's id, as `matchcast batch submit` prints it.")]
Stage = Annotated[str, typer.Option(help="The stage whose model predicts.")]
Format = Annotated[
    OutputFormat | None,
    typer.Option("--format", help="Of predictions and errors; by default what --out's name says, else parquet."),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", help="The file of predictions; errors go beside it, into NAME.errors.EXTENSION."),
]
Seconds = Annotated[float | None, number("--seconds", least=0, help="How long to wait at most; by default no limit.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    batch = typer.Typer(help="Predict the rows of a file, or many matches, at once.", no_args_is_help=True)
    batch.command()(run)
    batch.command()(submit)
    batch.command()(wait)
    batch.command("list")(list_batches)
    batch.command()(show)
    batch.command()(cancel)
    batch.command("retry-failed")(retry_failed)
    batch.command("download")(download_files)
    app.add_typer(batch, name="batch")


def run(
    file: File,
    out: Out = None,
    stage: Stage = "champion",
    file_format: Format = None,
    callback_url: CallbackUrl = None,
    as_json: AsJson = False,
) -> None:
    """Upload, submit, wait and download: predictions to FILE.out.parquet, rows without one to FILE.out.errors.parquet.

    What comes from the standard input goes to batch.parquet. Files that are there are replaced.

    Exit 0 if the batch succeeded, also where rows are in the error file; 1 if it ended otherwise. Ctrl-C leaves it
    running (exit 130).
    """
    kind = _format(file_format, out)
    source = read_source(file)
    given = None if file == FROM_STDIN else Path(file)
    # Before anything is sent, since nobody wants to hear of a wrong path in the end.
    beside = Path(f"batch.{kind}") if given is None else given.with_name(f"{given.name}.out.{kind}")
    files = _files(out or beside, given)
    with batches() as client:
        batch = _submitted(client, source, stage, kind, callback_url)
        with _left_running(batch["batch_id"]):
            batch = _ended(client, batch["batch_id"])
            _take_home(client, batch, files, as_json)


def submit(
    file: File,
    stage: Stage = "champion",
    file_format: Format = None,
    callback_url: CallbackUrl = None,
    as_json: AsJson = False,
) -> None:
    """Upload a file, submit it as a batch, and print the batch's id."""
    source = read_source(file)
    with batches() as client:
        batch = _submitted(client, source, stage, file_format or OutputFormat.PARQUET, callback_url)
    output.answer(batch, lambda: typer.echo(batch["batch_id"]), as_json=as_json)


def wait(batch_id: BatchId, seconds: Seconds = None, as_json: AsJson = False) -> None:
    """Wait until a batch is over; exit 0 if it succeeded, 1 if it ended otherwise, 3 if it still runs."""
    with batches() as client, _left_running(batch_id):
        batch = _ended(client, batch_id, seconds)
    output.answer(batch, lambda: output.say(summary(batch)), as_json=as_json)
    if batch["status"] != "succeeded":
        raise typer.Exit(1)


def list_batches(
    limit: Annotated[int, typer.Option(min=1, help="Batches in all.")] = 20, as_json: AsJson = False
) -> None:
    """List your batches, newest first."""
    with batches() as client:
        found = client.newest(limit)
    output.answer(found, lambda: show_batches(found), as_json=as_json)


def show(
    batch_id: BatchId,
    links: Annotated[bool, typer.Option("--links", help="Add addresses of its files, good for 15 minutes.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show a batch: its counts, how far it is, and what it is predicted with."""
    with batches() as client:
        batch = client.status(batch_id, **({"links": "true"} if links else {}))
    output.answer(batch, lambda: show_batch(batch), as_json=as_json)


def cancel(batch_id: BatchId, as_json: AsJson = False) -> None:
    """Cancel what has not run of a batch; what has run can be downloaded when it is `cancelled`."""
    with batches() as client:
        batch = client.cancel(batch_id)
    output.answer(batch, lambda: output.say(f"{batch_id} is {batch['status']}."), as_json=as_json)


def retry_failed(batch_id: BatchId, as_json: AsJson = False) -> None:
    """Run the failed and cancelled rows of a batch again; exit 2 if there are none."""
    with batches() as client:
        batch = client.retry_failed(batch_id)
    output.answer(batch, lambda: output.say(f"{batch_id} runs again. {hint_at(batch_id)}"), as_json=as_json)


def download_files(batch_id: BatchId, out: Out = None, as_json: AsJson = False) -> None:
    """Download the files of a batch that has ended, by default to ID.parquet and ID.errors.parquet.

    Exit 0 if the batch succeeded, 1 if it was cancelled: its files are there all the same.
    """
    with batches() as client:
        batch = client.status(batch_id)
        kind = _format(OutputFormat(batch["output_format"]), out)
        _take_home(client, batch, _files(out or Path(f"{batch['batch_id']}.{kind}")), as_json)


@contextmanager
def batches() -> Iterator[BatchClient]:
    """Yield the batches of the stack; Ctrl-C is the exit code that shells give it."""
    try:
        yield BatchClient(ApiClient.of(find_stack()), output.warn)
    except KeyboardInterrupt:
        output.warn("Interrupted.")
        raise typer.Exit(INTERRUPTED) from None


@contextmanager
def _left_running(batch_id: str) -> Iterator[None]:
    """On Ctrl-C say that the batch goes on, and how to come back to it."""
    try:
        yield
    except KeyboardInterrupt:
        output.warn(f"The batch {batch_id} goes on without this command. {hint_at(batch_id)}")
        raise typer.Exit(INTERRUPTED) from None


def _submitted(
    client: BatchClient, source: Source, stage: str, kind: OutputFormat, callback_url: str | None
) -> dict[str, Any]:
    """Upload a source if it is a file of rows, and submit it."""
    body: dict[str, Any] = {"stage": stage, "output_format": kind.value}
    if callback_url is not None:
        body["callback_url"] = callback_url
    if source.path is None:
        return client.submit(**body, match_ids=source.match_ids)
    with output.progress_bar("uploading") as bar:
        key = client.upload(source.path, moving_bytes(bar))
    return client.submit(**body, input=key)


def _ended(client: BatchClient, batch_id: str, seconds: float | None = None) -> dict[str, Any]:
    """Return a batch when it has ended, with a bar meanwhile."""
    batch: dict[str, Any] = {}
    with output.progress_bar("predicting") as bar:
        for batch in client.until_ended(batch_id, seconds):
            row_bar(bar, batch)
    return batch


def _take_home(client: BatchClient, batch: dict[str, Any], files: ResultFiles, as_json: bool) -> None:
    """Download the files of a batch, say what it came to, and exit 1 unless it succeeded."""
    has_files = batch["status"] != "failed" and batch["counts"]["total"] is not None
    if has_files:
        with output.progress_bar("downloading") as bar:
            batch = download(client, batch["batch_id"], files, lambda _: moving_bytes(bar))
    paths = {"output": str(files.output), "errors": str(files.errors)} if has_files else {}
    content = {**batch, "files": paths}
    output.answer(content, lambda: output.say(summary(batch, *paths.values())), as_json=as_json)
    if batch["status"] != "succeeded":
        raise typer.Exit(1)


def _format(given: OutputFormat | None, out: Path | None) -> OutputFormat:
    """Return the format of results; the name of their file must not say another one."""
    known = {f".{kind}": kind for kind in (*OutputFormat, FileFormat.CSV)}
    named = known.get(out.suffix.lower()) if out else None
    if named is FileFormat.CSV or (given and named and given != named):
        raise BadInput(
            f"Predictions are {given or 'parquet or jsonl'}, and {out} is named .{named}. Name it after them."
        )
    return given or (OutputFormat(named) if named else OutputFormat.PARQUET)


def _files(out: Path, source: Path | None = None) -> ResultFiles:
    files = ResultFiles(out)
    files.check(source)
    return files
