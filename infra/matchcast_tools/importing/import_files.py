"""Match files into the local dataset."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from matchcast_tools.dataset import store
from matchcast_tools.errors import BadInput
from matchcast_tools.importing.match_file import ParsedFile, parse_match_file
from matchcast_tools.importing.merging import Dataset, merge
from matchcast_tools.importing.quotes import QUOTES, closing_flags, taken_times
from matchcast_tools.importing.report import FileReport, ImportReport
from matchcast_tools.importing.sources import find_sources
from matchcast_tools.importing.teams import club_keys, find_renames
from matchcast_tools.progress import Items


def import_paths(paths: Sequence[str | Path], data_dir: Path, progress: Items = lambda *_: None) -> ImportReport:
    """Import match files, folders, patterns and zip archives, and save the dataset.

    A file that cannot be used does not stop the others; it is in the report with its error.

    Raises
    ------
    BadInput
        If no file could be used, or the stored dataset cannot be read; nothing is changed then.
    """
    start = time.perf_counter()
    sources = find_sources(paths)
    parsed: list[ParsedFile] = []
    reports: list[FileReport] = []
    for done, source in enumerate(sources):
        progress(done, len(sources), source.name)
        try:
            parsed.append(parse_match_file(source.name, source.read()))
            reports.append(parsed[-1].report)
        except BadInput as error:
            reports.append(FileReport(name=source.name, error=error.detail))
    if not parsed:
        more = f" (and {len(reports) - 1} more files that cannot be used)" if len(reports) > 1 else ""
        raise BadInput(f"{reports[0].error}{more} Nothing was imported.")
    progress(len(sources), len(sources), "the dataset")
    stored = load_dataset(data_dir)
    known = club_keys(stored.matches)
    dataset, changes = merge(stored, parsed)
    # What was merged may be as large as the dataset.
    del stored, parsed
    if changes.any or not store.has_dataset(data_dir):
        save_dataset(data_dir, dataset)
    renames = find_renames(known, dataset.matches)
    seconds = time.perf_counter() - start
    return ImportReport(reports, changes, renames, len(dataset.matches), len(dataset.quotes), seconds)


def load_dataset(data_dir: Path) -> Dataset:
    """Return the stored dataset, or an empty one where nothing has been imported yet."""
    if not store.has_dataset(data_dir):
        return Dataset.empty()
    matches = store.decode(store.read_matches(data_dir))
    odds = store.read_odds(data_dir, coded=True)
    quotes = odds.drop_columns(["taken_at"]).add_column(2, "closing", closing_flags(matches, odds))
    return Dataset(matches, quotes.cast(QUOTES))


def save_dataset(data_dir: Path, dataset: Dataset) -> None:
    """Write the dataset; the time at which each odds row was taken follows from its match."""
    quotes = dataset.quotes
    odds = quotes.append_column("taken_at", taken_times(dataset.matches, quotes))
    store.write_dataset(data_dir, dataset.matches, odds)
