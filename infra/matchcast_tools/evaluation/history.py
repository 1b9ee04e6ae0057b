"""What is known before the first match that a model is scored on: matches to learn ratings from, and the base rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from matchcast.snapshots import scoring
from matchcast_tools.dataset import store
from matchcast_tools.importing.match_file import ParsedFile
from matchcast_tools.importing.merging import Dataset, merge
from matchcast_tools.importing.quotes import QUOTES
from matchcast_tools.importing.report import FileReport

_RECENT = timedelta(days=400)
"""A season and the break before it."""


@dataclass(frozen=True, slots=True)
class History:
    """The matches of files together with those of the local dataset; `stored` of them are in the dataset alone."""

    matches: pa.Table
    stored: int = 0

    def results_until(self, until: date) -> scoring.Results | None:
        """Return the results of matches that were played up to a day, or None where there is none."""
        played = pc.equal(self.matches["status"], "played")
        early = self.matches.filter(pc.and_(played, pc.less_equal(self.matches["date"], pa.scalar(until))))
        return scoring.as_numbers(early["result"].to_pylist()) if len(early) else None

    def are_played(self, ids: npt.NDArray[np.str_]) -> npt.NDArray[np.bool_]:
        """Return which matches were played; an awarded result says nothing about a forecast."""
        played = self.matches.filter(pc.equal(self.matches["status"], "played"))["match_id"]
        return np.isin(ids, played.to_pylist())

    def cold_regions(self, ids: Sequence[str]) -> dict[str, str]:
        """Return the regions of which no match is known in the year before the first of these; with that day.

        Ratings of their teams start from nothing, and a model looks worse than it is.
        """
        own = self.matches.filter(pc.is_in(self.matches["match_id"], pa.array(ids, pa.string())))
        starts = pa.Table.group_by(own, "region").aggregate([("date", "min")])
        found = {}
        for region, first in sorted(zip(starts["region"].to_pylist(), starts["date_min"].to_pylist(), strict=True)):
            days, regions = self.matches["date"], self.matches["region"]
            before = pc.and_(pc.less(days, pa.scalar(first)), pc.greater(days, pa.scalar(first - _RECENT)))
            known = pc.and_(pc.and_(before, pc.equal(regions, region)), pc.equal(self.matches["status"], "played"))
            if not pc.any(known).as_py():
                found[region] = str(first)
        return found


def with_history(files: Dataset, data_dir: Path) -> History:
    """Return the matches of files and, where something has been imported, those of the dataset; the files' rows count.

    Raises
    ------
    BadInput
        If the dataset cannot be read.
    """
    if not store.has_dataset(data_dir):
        return History(files.matches)
    stored = Dataset(store.decode(store.read_matches(data_dir)), QUOTES.empty_table())
    parsed = ParsedFile(FileReport(name="the files"), files.matches, QUOTES.empty_table())
    matches = merge(stored, [parsed])[0].matches
    return History(matches, len(matches) - len(files.matches))
