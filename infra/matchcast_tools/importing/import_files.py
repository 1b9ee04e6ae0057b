"""Match files into the local dataset."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from matchcast_tools.dataset import store
from matchcast_tools.errors import BadInput
from matchcast_tools.importing.match_file import ParsedFile, parse_match_file
from matchcast_tools.importing.merging import Dataset, merge
from matchcast_tools.importing.quotes import closing_flags, taken_times
from matchcast_tools.importing.report import FileReport, ImportReport
from matchcast_tools.importing.sources import find_sources
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
    dataset, changes = merge(load_dataset(data_dir), parsed)
    if changes.any or not store.has_dataset(data_dir):
        save_dataset(data_dir, dataset)
    return ImportReport(reports, changes, len(dataset.matches), len(dataset.quotes), time.perf_counter() - start)


def load_dataset(data_dir: Path) -> Dataset:
    """Return the stored dataset, or an empty one where nothing has been imported yet."""
    if not store.has_dataset(data_dir):
        return Dataset.empty()
    matches = store.decode(store.read_matches(data_dir))
    odds = store.decode(store.read_odds(data_dir))
    quotes = odds.drop_columns(["taken_at"]).add_column(2, "closing", closing_flags(matches, odds))
    return Dataset(matches, quotes)


def save_dataset(data_dir: Path, dataset: Dataset) -> None:
    """Write the dataset; the time at which each odds row was taken follows from its match."""
    taken_at = taken_times(dataset.matches, dataset.quotes)
    store.write_dataset(data_dir, dataset.matches, dataset.quotes.append_column("taken_at", taken_at))
