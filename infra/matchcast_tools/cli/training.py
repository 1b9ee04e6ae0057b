"""`matchcast train | snapshot`: from a dataset to a registered model, and to a snapshot."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from matchcast_tools.stack.deployed import LOCAL, find_stack

if TYPE_CHECKING:
    from matchcast_tools.models.train import Trained

DAYS = ["%Y-%m-%d"]

output = Console()
notes = Console(stderr=True)

DataDir = Annotated[Path, typer.Option("--data", help="The folder of the imported dataset.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object, and nothing else.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(train)
    app.command()(snapshot)


def train(
    *,
    data: DataDir = LOCAL / "data",
    from_day: Annotated[
        datetime | None, typer.Option("--from", formats=DAYS, help="Learn from no match before this day.")
    ] = None,
    until_day: Annotated[
        datetime | None, typer.Option("--until", formats=DAYS, help="Learn from no match after this day.")
    ] = None,
    hold_out_last_season: Annotated[
        bool,
        typer.Option(
            "--hold-out-last-season",
            help="Learn from nothing of the last season, so that the model can be tried on it.",
        ),
    ] = False,
    alias: Annotated[
        list[str] | None, typer.Option(help="Alias to set, as often as wanted; MLFLOW_MODEL_STAGES by default.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train a 1X2 model on played matches and register it in MLflow under the aliases."""
    with _progress("training") as tell:
        # With the bar already up: these imports take seconds.
        from matchcast_tools.models.train import train as train_model

        trained = train_model(
            data,
            from_day=_day(from_day),
            until_day=_day(until_day),
            hold_out_last_season=hold_out_last_season,
            aliases=alias,
            progress=tell,
        )
    if as_json:
        typer.echo(json.dumps(trained.as_dict()))
    else:
        _show_trained(trained)


def snapshot(*, data: DataDir = LOCAL / "data", as_json: AsJson = False) -> None:
    """Upload the dataset to the stack and have it make a new snapshot."""
    with _progress("making the snapshot") as tell:
        from matchcast.errors import ReleaseRefused, Transient
        from matchcast.releases.retention import prune_datasets
        from matchcast_tools.dataset.upload import publish_dataset
        from matchcast_tools.stack.bucket import open_bucket
        from matchcast_tools.stack.invoke_refresh import invoke_refresh

        stack = find_stack()
        tell("uploading the dataset")
        bucket = open_bucket(stack)
        dataset = publish_dataset(bucket, data)
        tell("computing predictions, odds and ROI")
        answer = {"dataset_id": dataset.dataset_id, **invoke_refresh(stack)}
        try:
            prune_datasets(bucket)
        except (ReleaseRefused, Transient) as error:
            notes.print(f"Old datasets were not removed: {error.detail}", soft_wrap=True, style="yellow")
    if as_json:
        typer.echo(json.dumps(answer))
    else:
        _show_snapshot(answer)


@contextmanager
def _progress(what: str) -> Iterator[Callable[[str], None]]:
    """Show what is going on, on stderr, while the block runs."""
    with notes.status(what) as status:
        yield status.update


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment is not None else None


def _show_trained(trained: Trained) -> None:
    aliases = ", ".join(trained.aliases) or "no alias"
    output.print(
        f"{trained.name} version {trained.version} ({aliases}), run {trained.run_id}", soft_wrap=True, highlight=False
    )
    output.print(
        f"learnt from {trained.rows} matches, {trained.trained_from} to {trained.trained_until}, "
        f"{len(trained.features)} features, in {trained.seconds:.1f} s",
        soft_wrap=True,
        highlight=False,
    )
    table = Table("score", "value", title=f"validated on the last {trained.validation_rows} of them")
    for name, value in trained.metrics.items():
        table.add_row(name, f"{value:.4f}")
    output.print(table)


def _show_snapshot(answer: dict[str, Any]) -> None:
    output.print(
        f"snapshot {answer['snapshot_id']} by {answer['model']}, in {answer['seconds']} s",
        soft_wrap=True,
        highlight=False,
    )
    table = Table("file", "rows")
    for name, rows in answer["rows"].items():
        table.add_row(name, str(rows))
    output.print(table)
    if answer["rows"].get("odds.parquet") == 0:
        notes.print(
            f"The dataset has no odds of {answer['bookmaker']} for these matches, so cards, odds and ROI are empty. "
            "Deploy with OddsBookmaker set to a book that it has.",
            soft_wrap=True,
            style="yellow",
        )
