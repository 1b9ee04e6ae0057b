"""The rows a model learns from: features and results of played matches, in the order of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from matchcast.domain.prediction import RESULTS
from matchcast.snapshots.scoring import as_numbers
from matchcast_tools.dataset.store import decode, read_features, read_matches
from matchcast_tools.errors import BadInput

VALIDATION_SHARE = 0.2
"""The share of the last matches that validate where the window holds one season only."""


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Played matches sorted by date: `rows` float32 (n, k), `outcomes` 0 home, 1 draw, 2 away."""

    features: tuple[str, ...]
    rows: npt.NDArray[np.float32]
    outcomes: npt.NDArray[np.int64]
    dates: npt.NDArray[np.datetime64]
    seasons: npt.NDArray[Any]

    def __len__(self) -> int:
        return len(self.outcomes)

    @property
    def first_day(self) -> date:
        """Return the day of the earliest match."""
        return _as_date(self.dates[0])

    @property
    def last_day(self) -> date:
        """Return the day of the latest match."""
        return _as_date(self.dates[-1])

    def last_season_starts(self) -> date:
        """Return the first day of the season that the latest match belongs to."""
        return _as_date(self.dates[self.seasons == self.seasons[-1]].min())

    def before(self, day: date) -> TrainingSet:
        """Return the matches of earlier days."""
        return self.pick(self.dates < np.datetime64(day))

    def since(self, day: date) -> TrainingSet:
        """Return the matches of this day and later ones."""
        return self.pick(self.dates >= np.datetime64(day))

    def validation_starts(self) -> date:
        """Return the day that parts training from validation.

        That is the start of the last season, or, where nothing lies before it, the day after
        which the last fifth of the matches begins.
        """
        day = self.last_season_starts()
        return day if day > self.first_day else _as_date(self.dates[int(len(self) * (1 - VALIDATION_SHARE))])

    def pick(self, mask: npt.NDArray[np.bool_]) -> TrainingSet:
        """Return the matches where `mask`, shape (n,), is true."""
        return TrainingSet(self.features, self.rows[mask], self.outcomes[mask], self.dates[mask], self.seasons[mask])


def read_training_set(data_dir: Path, from_day: date | None = None, until_day: date | None = None) -> TrainingSet:
    """Return the played matches of a dataset whose date lies in the window, both ends included.

    Raises
    ------
    BadInput
        If the dataset is not there or cannot be read, or the window holds too few matches to train on.
    """
    matches = decode(read_matches(data_dir).select(["match_id", "date", "season", "status", "result"]))
    played = have_result(matches)
    if from_day is not None:
        played = pc.and_(played, pc.greater_equal(matches["date"], pa.scalar(from_day)))
    if until_day is not None:
        played = pc.and_(played, pc.less_equal(matches["date"], pa.scalar(until_day)))
    features = decode(read_features(data_dir))
    names = tuple(name for name in features.column_names if name not in ("match_id", "as_of"))
    table = with_features(matches.filter(played), features)
    training_set = TrainingSet(
        features=names,
        rows=feature_rows(table, names),
        outcomes=outcomes_of(table),
        dates=table["date"].to_numpy().astype("datetime64[D]"),
        seasons=np.array(table["season"].to_pylist()),
    )
    check_enough(training_set, f"with a result from {from_day or 'the first day'} until {until_day or 'the last'}")
    return training_set


def have_result(matches: pa.Table) -> Any:
    """Return the mask of the matches that are played and have a result."""
    return pc.and_(pc.equal(matches["status"], "played"), pc.is_valid(matches["result"]))


def with_features(matches: pa.Table, features: pa.Table) -> pa.Table:
    """Return matches with their features, by date, and by id within a day: the same data give the same order."""
    order = [("date", "ascending"), ("match_id", "ascending")]
    return matches.join(features, "match_id", join_type="inner").sort_by(order)


def feature_rows(table: pa.Table, names: Sequence[str]) -> npt.NDArray[np.float32]:
    """Return columns of a table as rows, float32, shape (n, columns)."""
    return np.column_stack([table[name].to_numpy().astype(np.float32) for name in names])


def outcomes_of(matches: pa.Table) -> npt.NDArray[np.int64]:
    """Return the results as 0 home, 1 draw, 2 away; shape (n,)."""
    return as_numbers(matches["result"].to_pylist())


def check_enough(matches: TrainingSet, which: str) -> None:
    """Refuse matches that no model of three classes can be fitted on.

    Raises
    ------
    BadInput
        If there is none, or home wins, draws and away wins are not all among them.
    """
    if len(matches) == 0:
        raise BadInput(f"There is no match {which}. Import matches with results, or widen the window of days.")
    if len(np.unique(matches.outcomes)) < len(RESULTS):
        raise BadInput(
            f"There are only {len(matches)} matches {which}, too few to train on: home wins, draws and away wins "
            "are all needed. Import more matches, or widen the window of days."
        )


def _as_date(value: np.datetime64) -> date:
    day: date = value.astype("datetime64[D]").astype(object)
    return day
