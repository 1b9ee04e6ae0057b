"""Results that an association awarded: they say nothing about the teams, and are marked so that nothing learns them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from matchcast_tools.importing.rows import Match

_AWARDED_SCORES = {(3, 0), (0, 3)}
_NEARLY_ALL, _MOST = 0.9, 0.5
_NO_HALF_TIME = (None, None)

_Has = Callable[[Match], bool]


def mark_awarded(matches: Sequence[Match], priced: npt.NDArray[np.bool_]) -> None:
    """Mark results as awarded that lack what a match leaves behind, and nearly all others of their division have.

    These are: any score without half-time score and shots; 3-0 without a half-time score (the shots of a match that
    was played may be there); and 3-0 without odds, shots and half-time goals. `priced` says which matches have
    odds.
    """
    scored: dict[str, list[int]] = defaultdict(list)
    for place, match in enumerate(matches):
        if match.goals is not None:
            scored[match.division.code].append(place)
    for places in scored.values():
        own = [matches[place] for place in places]
        halves = _share(own, lambda match: match.half_time != _NO_HALF_TIME) >= _NEARLY_ALL
        shots = _share(own, _has_shots) >= _NEARLY_ALL
        odds = np.count_nonzero(priced[places]) >= _MOST * len(places)
        for place, match in zip(places, own, strict=True):
            no_half = halves and match.half_time == _NO_HALF_TIME
            usual = match.goals in _AWARDED_SCORES
            unpriced = odds and not priced[place] and match.half_time in (_NO_HALF_TIME, (0, 0))
            if (
                (no_half and shots and not _has_shots(match))
                or (usual and no_half)
                or (usual and unpriced and not any(match.statistics))
            ):
                match.status = "awarded"


def _has_shots(match: Match) -> bool:
    return any(count is not None for count in match.statistics)


def _share(matches: Sequence[Match], has: _Has) -> float:
    return sum(map(has, matches)) / len(matches)
