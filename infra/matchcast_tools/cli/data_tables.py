"""Import reports and evaluations as tables on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from matchcast_tools.cli.output import answers, say

if TYPE_CHECKING:
    from matchcast_tools.importing.report import FileReport, ImportReport

_LINES_SHOWN = 8
_COUNTS = {
    "rows": "rows",
    "played": "played",
    "awarded": "award-\ned",
    "abandoned": "aban-\ndoned",
    "fixtures": "fix-\ntures",
    "repaired": "re-\npaired",
    "skipped": "skip-\nped",
    "odds": "odds",
    "odds_rejected": "odds\nrejected",
}
_FIGURES = {
    "rows": "rows",
    "overround": "over-\nround",
    "log_loss": "log\nloss",
    "brier": "brier",
    "rps": "rps",
    "accuracy": "hits\n%",
    "roi_home": "roi %\nhome",
    "roi_draw": "roi %\ndraw",
    "roi_away": "roi %\naway",
    "roi_favourite": "roi %\nfav.",
}
_MODEL = {"log_loss": "model\nlog loss", "rps": "model\nrps"}


def show_import(report: ImportReport) -> None:
    """Print a row per file, then every note with its lines, then what changed in the dataset."""
    table = Table("file", "format", "encoding", box=SIMPLE_HEAD, padding=(0, 0, 0, 1))
    for label in _COUNTS.values():
        table.add_column(label, justify="right", no_wrap=True)
    for file in report.files:
        table.add_row(_short(file.name), file.format, file.encoding, *(str(getattr(file, name)) for name in _COUNTS))
    table.add_section()
    table.add_row(f"{len(report.files)} files", "", "", *(str(report.total(name)) for name in _COUNTS))
    answers.print(table)
    for file in report.files:
        _show_notes(file)
    for each in report.renames:
        say(
            f"{each.team} ({each.region}) appears on {each.first}, and {each.like} was last seen on {each.last}. If "
            "they are one club, its ratings begin anew: give it one name in the files."
        )
    changes = report.changes
    say(
        f"{changes.added} matches added, {changes.updated} updated, {changes.unchanged} unchanged, "
        f"{changes.repeated} in more than one file, {len(changes.withdrawn)} fixtures withdrawn, "
        f"{len(changes.moved)} moved to another date, {changes.kept_scores} scores kept. "
        f"The dataset holds {report.matches} matches and {report.odds} odds ({report.seconds:.1f} s).",
    )


def _show_notes(file: FileReport) -> None:
    for note in file.notes.values():
        lines = ", ".join(map(str, note.lines[:_LINES_SHOWN])) + (", ..." if note.count > _LINES_SHOWN else "")
        where = f" ({note.count}: line {lines})" if note.lines else ""
        say(f"{_short(file.name)}: {note.kind}: {note.reason}{where}")
    if file.error is not None:
        say(f"{_short(file.name)}: not used: {file.error}")


def _short(name: str) -> str:
    """Return the file and the folder or archive that it is in."""
    return "/".join(name.split("/")[-2:])


def show_evaluation(result: dict[str, Any]) -> None:
    """Print the figures in all, per division and per season, with those of a model if there is one."""
    has_model = "model" in result
    table = Table(box=SIMPLE_HEAD, padding=(0, 0, 0, 1), title=result["book"])
    table.add_column("", no_wrap=True)
    for label in [*_FIGURES.values(), *(_MODEL.values() if has_model else ())]:
        table.add_column(label, justify="right", no_wrap=True)
    parts = [("all", result)]
    parts += [(part["division"], part) for part in result["per_division"]]
    parts += [(part["season"], part) for part in result["per_season"]]
    parts.append(("base rate", result["base_rate"]))
    for label, part in parts:
        cells = [_cell(name, part.get(name)) for name in _FIGURES]
        if has_model:
            cells += [_cell(name, part.get("model", {}).get(name)) for name in _MODEL]
        table.add_row(label, *cells)
    answers.print(table)
    say(f"The margin is removed by the {result['margin']} method. The base rate is that of {result['base_rate_of']}.")
    if has_model:
        _show_model(result)


def _show_model(result: dict[str, Any]) -> None:
    model, (mean, low, high) = result["model"], result["intervals"]["model_minus_book"]["log_loss"]
    say(
        f"{model['name']} version {model['version']} ({model['alias']}), on matches after {model['trained_until']}: "
        f"its log loss is {mean:+.4f} against the book's (95% interval {low:+.4f} to {high:+.4f}). Ratings know "
        f"{result['history']['stored_matches']} matches of the dataset as well."
    )
    for row in result["bets"]:
        if row["region"] == "all":
            say(
                f"{row['bets']} bets: {100 * row['roi']:+.2f}% (95% interval {100 * row['roi_low']:+.2f}% to "
                f"{100 * row['roi_high']:+.2f}%), largest drawdown {row['max_drawdown']:.1f} units."
            )


def _cell(name: str, value: float | None) -> str:
    if value is None:
        return ""
    if name == "rows":
        return f"{value}"
    return f"{value:.2f}" if name.startswith(("roi", "accuracy")) else f"{value:.4f}"
