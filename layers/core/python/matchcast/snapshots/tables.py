"""What can be read from a loaded snapshot: lists of matches by page, one match, the region ROI, the scorecard.

Rows are JSON objects that were encoded when the snapshot was loaded, so a page is a slice of bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Protocol

Position = tuple[int, str]
"""Where a row stands in a list: kick-off in milliseconds since 1970 (UTC), and the match id."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Which matches a list shows; None means all. Texts are compared whole and without regard to case."""

    region: str | None = None
    league: str | None = None
    team: str | None = None
    """Home or away."""
    date_from: date | None = None
    """First day of kick-off (UTC)."""
    date_to: date | None = None
    """Last day of kick-off (UTC), included."""


@dataclass(frozen=True, slots=True)
class RowsPage:
    """Some rows of a list."""

    rows: bytes
    """JSON objects, separated by commas."""
    total: int
    """How many rows the filters leave in the whole list."""
    last: Position | None
    """Where the next page goes on; None on the last page."""


class MatchList(Protocol):
    """Matches sorted by kick-off, then by id."""

    def page(self, filters: Filters, after: Position | None, limit: int) -> RowsPage:
        """Return up to `limit` rows that stand after a position, whether or not a row stands at it."""


class RegionList(Protocol):
    """The betting simulation's figures, region by region."""

    def page(self, region: str | None) -> RowsPage:
        """Return the rows of one region, or of all."""


@dataclass(frozen=True, slots=True)
class SnapshotTables:
    """A loaded snapshot."""

    predictions: MatchList
    """Predictions of every match, display columns only."""
    cards: MatchList
    """Predictions with the bookmaker's odds, of the matches that have odds."""
    odds: MatchList
    """The bookmaker's odds."""
    region_roi: RegionList
    """Return on investment by region."""
    scorecard: bytes
    """The scorecard as a JSON object."""
    match: Callable[[str], bytes | None]
    """Returns all columns of one match as a JSON object; None where there is no such match."""
