"""`matchcast train | publish | snapshot`: from a dataset to a model, to what a stack serves."""

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

from infra.stack import LOCAL, find_stack

if TYPE_CHECKING:
    from infra.models.publish import Release
    from infra.models.train import Trained

DAYS = ["%Y-%m-%d"]

output = Console()
notes = Console(stderr=True)

DataDir = Annotated[Path, typer.Option("--data", help="The folder of the imported dataset.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object, and nothing else.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(train)
    app.command()(publish)
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
        from infra.models.train import train as train_model

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


def publish(
    *,
    stage: Annotated[
        list[str] | None,
        typer.Option(help="Publish this alias only, as often as wanted; by default all of MLFLOW_MODEL_STAGES."),
    ] = None,
    data: DataDir = LOCAL / "data",
    as_json: AsJson = False,
) -> None:
    """Export the versions that the aliases name to ONNX, check them, and publish them to the stack."""
    with _progress("publishing") as tell:
        from infra.data.publish import open_bucket
        from infra.models.publish import publish as publish_models
        from infra.models.registry import configured_stages

        release = publish_models(
            open_bucket(find_stack()),
            stage or configured_stages(),
            keep_others=stage is not None,
            data_dir=data,
            progress=tell,
        )
    if as_json:
        typer.echo(json.dumps(release.as_dict()))
    else:
        _show_release(release)


def snapshot(*, data: DataDir = LOCAL / "data", as_json: AsJson = False) -> None:
    """Upload the dataset to the stack and have it make a new snapshot."""
    with _progress("making the snapshot") as tell:
        from infra.data.invoke import invoke_refresh
        from infra.data.publish import open_bucket, publish_dataset

        stack = find_stack()
        tell("uploading the dataset")
        dataset = publish_dataset(open_bucket(stack), data)
        tell("computing predictions, odds and ROI")
        answer = {"dataset_id": dataset.dataset_id, **invoke_refresh(stack)}
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


def _show_release(release: Release) -> None:
    manifest = release.manifest
    state = "published" if release.is_new else "is published already"
    output.print(f"release {manifest.release} {state}", soft_wrap=True, highlight=False)
    table = Table("stage", "version", "trained until", "log loss", "artifact")
    for name, model in sorted(manifest.stages.items()):
        loss = model.metrics.get("log_loss")
        table.add_row(
            name, model.version, str(model.trained_until or "-"), "-" if loss is None else f"{loss:.4f}", model.prefix
        )
    output.print(table)
    for each in release.exported:
        output.print(
            f"version {each.published.version} and its export agree within {each.parity_difference:.1e} "
            f"on {each.parity_rows} rows",
            soft_wrap=True,
            highlight=False,
        )


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
