"""`matchcast train`: from a dataset to a registered model."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from matchcast_tools.cli import output
from matchcast_tools.cli.options import DAYS, AsJson, DataDir, day

if TYPE_CHECKING:
    from matchcast_tools.models.train import Trained


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(train)


def train(
    *,
    data: DataDir,
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
    with output.progress("training") as tell:
        # With the progress shown already: these imports take seconds.
        from matchcast_tools.models.train import train as train_model

        trained = train_model(
            data,
            from_day=day(from_day),
            until_day=day(until_day),
            hold_out_last_season=hold_out_last_season,
            aliases=alias,
            progress=tell,
        )
    output.answer(asdict(trained), lambda: _show(trained), as_json=as_json)


def _show(trained: Trained) -> None:
    aliases = ", ".join(trained.aliases) or "no alias"
    output.say(f"{trained.name} version {trained.version} ({aliases}), run {trained.run_id}")
    output.say(
        f"learnt from {trained.rows} matches, {trained.trained_from} to {trained.trained_until}, "
        f"{len(trained.features)} features, in {trained.seconds:.1f} s"
    )
    table = Table("score", "value", title=f"validated on the last {trained.validation_rows} of them")
    for name, value in trained.metrics.items():
        table.add_row(name, f"{value:.4f}")
    output.answers.print(table)
