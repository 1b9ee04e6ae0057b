"""Lists of matches in memory: filters by codes, pages as slices of bytes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Self

import numpy as np
import numpy.typing as npt

from matchcast.adapters.json_columns import CodedColumn, Indices, JsonRows
from matchcast.snapshots.tables import Filters, Position, RowsPage

_DAY_MS = 86_400_000

Mask = npt.NDArray[np.bool_]


class TextIndex:
    """A column of texts, searched whole and without regard to case."""

    def __init__(self, column: CodedColumn) -> None:
        self._column = column
        self._codes: dict[str, list[int]] = {}
        for code, value in enumerate(column.values):
            self._codes.setdefault(str(value).casefold(), []).append(code)

    def holds(self, text: str, rows: slice) -> Mask:
        """Tell which of some neighbouring rows hold a text."""
        found = self._codes.get(text.casefold(), [])
        codes = self._column.codes[rows]
        return codes == found[0] if len(found) == 1 else np.isin(codes, found)

    def take(self, rows: Indices) -> Self:
        """Return the index of some rows, in their order."""
        return type(self)(self._column.take(rows))


@dataclass(frozen=True, slots=True)
class MatchKeys:
    """What lists are sorted and filtered by, row by row, in the order of (kickoff, match_id).

    `kickoffs` are milliseconds since 1970 (UTC); `texts` holds region, league, home_team and away_team.
    """

    kickoffs: npt.NDArray[np.int64]
    match_ids: Sequence[str]
    texts: Mapping[str, TextIndex]

    def take(self, rows: Indices) -> MatchKeys:
        """Return the keys of some rows, in their order."""
        return MatchKeys(
            kickoffs=self.kickoffs[rows],
            match_ids=[self.match_ids[row] for row in rows.tolist()],
            texts={name: index.take(rows) for name, index in self.texts.items()},
        )

    def days(self, first: date | None, last: date | None) -> tuple[int, int]:
        """Return start and stop of the rows whose kick-off is on or between two days (UTC)."""
        start = 0 if first is None else int(np.searchsorted(self.kickoffs, _midnight(first)))
        if last is None:
            return start, len(self.kickoffs)
        return start, max(start, int(np.searchsorted(self.kickoffs, _midnight(last) + _DAY_MS)))

    def after(self, position: Position) -> int:
        """Return the first row past a position, whether or not a row stands at it."""
        kickoff, match_id = position
        start = int(np.searchsorted(self.kickoffs, kickoff, side="left"))
        stop = int(np.searchsorted(self.kickoffs, kickoff, side="right"))
        return bisect_right(self.match_ids, match_id, start, stop)


class EncodedMatchList:
    """A `MatchList`; its rows are encoded when they are first asked for."""

    def __init__(self, keys: MatchKeys, encode: Callable[[], JsonRows]) -> None:
        self._keys = keys
        self._encode = encode
        self._rows: JsonRows | None = None

    @property
    def rows(self) -> JsonRows:
        """Return the encoded rows."""
        if self._rows is None:
            self._rows = self._encode()
        return self._rows

    def page(self, filters: Filters, after: Position | None, limit: int) -> RowsPage:
        """Return up to `limit` rows that stand after a position, whether or not a row stands at it."""
        start, stop = self._keys.days(filters.date_from, filters.date_to)
        first = start if after is None else max(start, self._keys.after(after))
        masks = self._masks(filters, slice(start, stop))
        if not masks:
            end = min(first + limit, stop)
            rows, total = self.rows.span(first, end), stop - start
            return RowsPage(rows, total, last=self._position(end - 1) if first < end < stop else None)
        found: Indices = np.flatnonzero(np.logical_and.reduce(masks)) + start
        at = int(np.searchsorted(found, first))
        chosen = found[at : at + limit]
        more = at + limit < len(found)
        return RowsPage(self.rows.pick(chosen), len(found), last=self._position(int(chosen[-1])) if more else None)

    def _position(self, row: int) -> Position:
        return int(self._keys.kickoffs[row]), self._keys.match_ids[row]

    def _masks(self, filters: Filters, rows: slice) -> list[Mask]:
        texts, masks = self._keys.texts, []
        if filters.region is not None:
            masks.append(texts["region"].holds(filters.region, rows))
        if filters.league is not None:
            masks.append(texts["league"].holds(filters.league, rows))
        if filters.team is not None:
            home, away = (texts[side].holds(filters.team, rows) for side in ("home_team", "away_team"))
            masks.append(home | away)
        return masks


def _midnight(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000
