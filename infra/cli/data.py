"""`matchcast import | features | evaluate`: from match files to a dataset, and how good odds and models are."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from infra.errors import BadInput
from infra.stack import LOCAL

if TYPE_CHECKING:
    from infra.data.report import FileReport, ImportReport
    from infra.data.scoring import Margin

# A table that goes into a file or a pipe needs no line breaks.
output = Console(width=None if sys.stdout.isatty() else 160)
notes = Console(stderr=True)

DataDir = Annotated[Path, typer.Option("--data", help="The folder of the imported dataset.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object, and nothing else.")]
_LINES_SHOWN = 8


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("import")(import_)
    app.command()(features)
    app.command()(evaluate)


def import_(
    paths: Annotated[
        list[str] | None, typer.Argument(help="Match files, folders, patterns or zip archives.", metavar="PATH...")
    ] = None,
    *,
    data: DataDir = LOCAL / "data",
    sample: Annotated[bool, typer.Option("--sample", help="Generate the sample league and import it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Import matches and odds; importing again updates what is there.

    Exit code 2 if a file could not be used; what could be used is imported nevertheless.
    """
    from infra.data.importing import import_paths

    wanted: list[str | Path] = [*(paths or [])]
    if sample:
        from infra.data.sample import write_sample

        wanted += write_sample(data / "sample")
    with _progress("importing") as tell:
        report = import_paths(wanted, data, tell)
    if as_json:
        typer.echo(json.dumps(report.as_dict()))
    else:
        _show_import(report)
    if report.failed:
        raise BadInput(
            f"{len(report.failed)} of {len(report.files)} files could not be used; the others are imported. "
            + " ".join(file.error or "" for file in report.failed)
        )


def features(
    *,
    data: DataDir = LOCAL / "data",
    afresh: Annotated[bool, typer.Option("--afresh", help="Compute all of them, not only what is new.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compute the features of every match from earlier matches."""
    from infra.data.features import build_features

    with _progress("features") as tell:
        report = build_features(data, tell, afresh=afresh)
    if as_json:
        typer.echo(json.dumps(report.as_dict()))
    else:
        output.print(
            f"{report.matches} matches of {report.regions} regions have {len(report.columns)} features "
            f"({report.computed} computed, {report.seconds:.1f} s)."
        )


def evaluate(
    paths: Annotated[list[str], typer.Argument(help="Match files, folders, patterns or zip archives.")],
    *,
    book: Annotated[str, typer.Option(help="Whose odds: a column prefix (B365, PSC) or a name (bet365).")] = "B365",
    margin: Annotated[str, typer.Option(help="How the margin is taken out: multiplicative, power, shin.")] = (
        "multiplicative"
    ),
    as_json: AsJson = False,
) -> None:
    """Score a bookmaker's odds on the matches of files: in all, per season, per division."""
    from infra.data.books import parse_price
    from infra.data.evaluation import evaluate_book, read_files, select

    price = parse_price(book)
    with _progress("reading") as tell:
        dataset, reports = read_files(paths, tell)
    result = {"files": len(reports), **evaluate_book(select(dataset, price), _margin(margin))}
    if as_json:
        typer.echo(json.dumps(result))
    else:
        _show_evaluation(result)


def _margin(text: str) -> Margin:
    from infra.data.scoring import MARGINS

    for margin in MARGINS:
        if text == margin:
            return margin
    raise BadInput(f"There is no way {text!r} to take out the margin. Give {', '.join(MARGINS)}.")


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int, str], None]]:
    """Show a bar on stderr while the work reports how far it is."""
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[item]}"), TimeElapsedColumn()
    with Progress(*columns, console=notes, transient=True, disable=not notes.is_terminal) as bar:
        task = bar.add_task(what, total=None, item="")
        yield lambda done, total, item: bar.update(task, completed=done, total=total, item=item)


def _show_import(report: ImportReport) -> None:
    table = Table("file", "format", "encoding", title="Files")
    names = ("rows", "played", "awarded", "abandoned", "fixtures", "repaired", "skipped", "odds", "odds_rejected")
    for name in names:
        table.add_column(name.replace("_", " "), justify="right")
    for file in report.files:
        table.add_row(file.name, file.format, file.encoding, *(str(getattr(file, name)) for name in names))
    table.add_section()
    table.add_row(f"{len(report.files)} files", "", "", *(str(report.total(name)) for name in names))
    output.print(table)
    for file in report.files:
        _show_notes(file)
    output.print(
        f"{report.added} matches added, {report.updated} updated, {report.unchanged} unchanged, "
        f"{report.repeated} in more than one file, {len(report.withdrawn)} fixtures withdrawn, "
        f"{len(report.moved)} moved to another date, {report.kept_scores} scores kept. "
        f"The dataset holds {report.matches} matches and {report.odds} odds ({report.seconds:.1f} s)."
    )


def _show_notes(file: FileReport) -> None:
    for note in file.notes.values():
        lines = ", ".join(map(str, note.lines[:_LINES_SHOWN])) + (", ..." if note.count > _LINES_SHOWN else "")
        where = f" ({note.count}: line {lines})" if note.lines else ""
        output.print(f"{file.name}: {note.kind}: {note.reason}{where}", markup=False, highlight=False)
    if file.error is not None:
        output.print(f"{file.name}: not used: {file.error}", markup=False, highlight=False)


def _show_evaluation(result: dict[str, Any]) -> None:
    names = ("rows", "overround", "log_loss", "brier", "rps", "accuracy", "roi_home", "roi_draw", "roi_away")
    table = Table(box=SIMPLE_HEAD, padding=(0, 0, 0, 1), title=result["book"])
    table.add_column("", no_wrap=True)
    for name in (*names, "roi_favourite"):
        table.add_column(name.replace("_", "\n").replace("favourite", "favrt"), justify="right", no_wrap=True)
    parts = [("all", result), *((part["division"], part) for part in result["per_division"])]
    parts += [(part["season"], part) for part in result["per_season"]]
    parts.append(("base rate", result["base_rate"]))
    for label, part in parts:
        table.add_row(label, *(_cell(name, part.get(name)) for name in (*names, "roi_favourite")))
    output.print(table)
    output.print(f"Accuracy and returns in percent; margin taken out: {result['margin']}.")


def _cell(name: str, value: float | None) -> str:
    if value is None:
        return ""
    if name == "rows":
        return f"{value}"
    return f"{value:.2f}" if name.startswith(("roi", "accuracy")) else f"{value:.4f}"
