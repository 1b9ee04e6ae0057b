"""`matchcast import | features | evaluate`: from match files to a dataset, and how good odds and models are."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from matchcast.errors import AliasUnknown
from matchcast_tools.cli import output
from matchcast_tools.cli.data_tables import show_evaluation, show_import
from matchcast_tools.cli.options import AsJson, DataDir, number
from matchcast_tools.errors import BadInput

if TYPE_CHECKING:
    from matchcast.snapshots.scoring import Margin
    from matchcast_tools.evaluation.model import Forecaster


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("import")(import_matches)
    app.command("features")(compute_features)
    app.command("evaluate")(evaluate)


def import_matches(
    paths: Annotated[
        list[str] | None, typer.Argument(help="Match files, folders, patterns or zip archives.", metavar="PATH...")
    ] = None,
    *,
    data: DataDir,
    sample: Annotated[bool, typer.Option("--sample", help="Generate the sample league and import it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Import matches and odds; importing again updates what is there.

    Exit code 2 if a file could not be used; the other files are imported nevertheless.
    """
    from matchcast_tools.importing.import_files import import_paths

    wanted: list[str | Path] = [*(paths or [])]
    if sample:
        from matchcast_tools.sample.league import write_sample

        wanted += write_sample(data / "sample")
    with output.progress_bar("importing") as progress:
        report = import_paths(wanted, data, progress)
    output.answer(report.as_dict(), lambda: show_import(report), as_json=as_json)
    if report.failed:
        raise BadInput(
            f"{len(report.failed)} of {len(report.files)} files could not be used; the others are imported. "
            + " ".join(file.error or "" for file in report.failed)
        )


def compute_features(*, data: DataDir, as_json: AsJson = False) -> None:
    """Compute the features of every match from earlier matches."""
    from matchcast_tools.features.build import build_features

    with output.progress_bar("features") as progress:
        report = build_features(data, progress)
    text = (
        f"{report.matches} matches of {report.regions} regions have {len(report.columns)} features "
        f"({report.seconds:.1f} s)."
    )
    output.answer(asdict(report), lambda: output.say(text), as_json=as_json)


def evaluate(
    paths: Annotated[list[str], typer.Argument(help="Match files, folders, patterns or zip archives.")],
    *,
    data: DataDir,
    book: Annotated[str, typer.Option(help="Whose odds: a column prefix (B365, PSC) or a name (bet365).")] = "B365",
    margin: Annotated[str, typer.Option(help="How the margin is removed: multiplicative, power, shin.")] = (
        "multiplicative"
    ),
    model: Annotated[
        str | None, typer.Option(help="Alias of a registered model to score with the book on unseen matches.")
    ] = None,
    edge: Annotated[float, number(help="The model bets where probability x odds - 1 is above this.")] = 0.05,
    picture: Annotated[
        Path | None, typer.Option(help="Draw reliability and profit of the model into this file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Score a bookmaker's odds, and a model on the same matches: in all, per season, per division.

    A model's features rest on the matches of the files and on those of the imported dataset.
    """
    from matchcast_tools.evaluation.bookmaker import evaluate_book, read_files, select
    from matchcast_tools.importing.books import parse_price

    price, method = parse_price(book), _margin(margin)
    if picture is not None and model is None:
        raise BadInput("A picture shows a model and the book. Name a model with --model.")
    with output.progress_bar("reading") as progress:
        dataset, reports = read_files(paths, progress)
    scored = select(dataset, price)
    if model is None:
        figures = evaluate_book(scored, method)
    else:
        from matchcast_tools.evaluation.history import with_history
        from matchcast_tools.evaluation.model import compare

        with output.progress("scoring the model"):
            comparison = compare(dataset, scored, _forecaster(model), method, edge, history=with_history(dataset, data))
        figures = comparison.figures
        for region, first in figures["history"]["cold_regions"].items():
            output.warn(
                f"The ratings of {region} start cold: no match is known in the year before {first}, neither in the "
                f"files nor in the dataset ({data}), so the model looks worse than it is. Import earlier seasons."
            )
        if picture is not None:
            from matchcast_tools.evaluation.charts import draw

            draw(comparison, picture)
    result = {"files": len(reports), **figures}
    output.answer(result, lambda: show_evaluation(result), as_json=as_json)


def _forecaster(alias: str) -> Forecaster:
    from matchcast_tools.evaluation.model import Forecaster
    from matchcast_tools.models.registry import load

    try:
        model = load(alias)
    except AliasUnknown as error:
        raise BadInput(f"There is no model to score. {error.detail}") from error
    return Forecaster(model.at.name, model.at.version, alias, model.signature.names, model.at.trained_until, model)


def _margin(text: str) -> Margin:
    from matchcast.snapshots.scoring import MARGINS

    for margin in MARGINS:
        if text == margin:
            return margin
    raise BadInput(f"{text!r} is no method to remove the margin. Give {', '.join(MARGINS)}.")
