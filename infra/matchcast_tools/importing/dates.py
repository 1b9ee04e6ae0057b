"""Dates of a match file that cannot be right: a file with the month first, years of the future, and mistyped ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import pairwise

from matchcast_tools.errors import BadInput
from matchcast_tools.importing.rows import DateOrder, Match

_FEW = 0.1
"""Among so few of the telling dates, one that is only possible with the month first is a typing error of its row."""
_AHEAD = timedelta(days=400)
"""Fixtures are known for one season."""
_FAR, _FAR_AT_AN_END, _NEAR = timedelta(days=300), timedelta(days=350), timedelta(days=100)
_LEAST_ROWS, _MOST_ASTRAY = 5, 0.05


def refuse_month_first(name: str, order: DateOrder) -> None:
    """Refuse a file whose dates are possible only with the month first.

    The rest of its dates would be read with day and month exchanged.

    Raises
    ------
    BadInput
        If that is so.
    """
    wrong = len(order.month_first)
    if wrong and (not order.day_first or wrong > max(1, _FEW * order.day_first)):
        line, text = order.month_first[0]
        raise BadInput(
            f"{name} has its dates with the month first: {text!r} (line {line}) and {wrong - 1} more are possible in "
            "no other way, and the others cannot be trusted. Write the dates with the day first (16/08/2014) or the "
            "year first (2014-08-16)."
        )


def wrong_dates(matches: Sequence[Match], today: date) -> dict[int, str]:
    """Return the places of matches whose date cannot be right, each with the reason."""
    found: dict[int, str] = {}
    groups: dict[tuple[int, str], list[int]] = defaultdict(list)
    for place, match in enumerate(matches):
        groups[match.section, match.division.code].append(place)
        if match.day > today + _AHEAD:
            found[place] = f"the date {match.day} is more than a season ahead"
        elif match.goals is not None and match.day > today + timedelta(days=1):
            found[place] = f"a score on {match.day}, which is in the future"
    for places in groups.values():
        for place in _astray(places, matches):
            found.setdefault(place, f"the date {matches[place].day} is years away from those of the rows around it")
    return found


def _astray(places: Sequence[int], matches: Sequence[Match]) -> Iterator[int]:
    """Yield the matches of a division whose dates are far from those before and after them, which are near each other.

    Where many are, the file is not in order of time, and nothing can be said.
    """
    if len(places) < _LEAST_ROWS:
        return
    runs = [[places[0]]]
    for before, after in pairwise(places):
        if abs(matches[after].day - matches[before].day) > _FAR:
            runs.append([])
        runs[-1].append(after)
    few = max(1, int(_MOST_ASTRAY * len(places)))
    if len(runs) > 2 * few + 1:
        return
    for number, run in enumerate(runs):
        around = [runs[other] for other in (number - 1, number + 1) if 0 <= other < len(runs)]
        if not around or len(run) > few or any(len(run) > len(other) for other in around):
            continue
        if len(around) == 2:
            wrong = abs(matches[around[1][0]].day - matches[around[0][-1]].day) <= _NEAR
        else:
            first, last = (run[-1], around[0][0]) if number == 0 else (around[0][-1], run[0])
            wrong = abs(matches[last].day - matches[first].day) > _FAR_AT_AN_END
        if wrong:
            yield from run
