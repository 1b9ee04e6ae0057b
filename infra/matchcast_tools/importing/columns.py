"""Columns of a header that were meant for something and are not read: misspelt names and odds without their third."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

_OUTCOMES = "HDA"
_OTHERS = frozenset(
    [
        "HF",
        "AF",
        "HC",
        "AC",
        "HST",
        "AST",
        "HHW",
        "AHW",
        "HO",
        "AO",
        "HY",
        "AY",
        "HR",
        "AR",
        "HBP",
        "ABP",
        "HFKC",
        "AFKC",
        "FTHG",
        "FTAG",
        "HTHG",
        "HTAG",
        "HTR",
        "AHh",
        "AHCh",
        "Referee",
    ]
)
"""Columns of match files that nothing here needs, and that look like needed ones."""
MISSING = "the header has no column"
_HANDICAP = "AH"
_SCORE = ("home_goals", "away_goals")
_LEAST_LETTERS = 4


def unread_columns(names: Sequence[str], aliases: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield a sentence for each thing that the header seems to lack by mistake."""
    present = set(names)
    for prefix, missing in _incomplete_odds(names, present):
        unread = (name for name in names if not all(name[:-1] + end in present for end in _OUTCOMES))
        like = next((name for name in unread if name[:-1] != prefix and _is_typo(name, prefix + missing)), None)
        there = " and ".join(prefix + end for end in _OUTCOMES if end != missing)
        seems = f"; the column {like} looks like it" if like else ""
        yield f"the header has {there} without {prefix}{missing}{seems}: these odds are not read"
    for meaning, wanted in aliases.items():
        like = next((name for name in names for right in wanted if _is_typo(name, right)), None)
        if not present.isdisjoint(wanted) or (like is None and meaning not in _SCORE):
            continue
        seems = f"; the column {like} looks like it" if like else ""
        without = ": no match has a score" if meaning in _SCORE else ""
        yield f"{MISSING} {' or '.join(wanted)}{seems}{without}"


def _incomplete_odds(names: Sequence[str], present: set[str]) -> Iterator[tuple[str, str]]:
    """Yield the prefix and the missing outcome of odds of which a header has two columns, side by side."""
    for index, name in enumerate(names):
        prefix = name[:-1]
        missing = [end for end in _OUTCOMES if prefix + end not in present]
        # Asian handicaps have two sides only.
        if not prefix or prefix.endswith(_HANDICAP) or len(missing) != 1:
            continue
        two = [prefix + end for end in _OUTCOMES if end != missing[0]]
        if name == two[0] and two[1] in names[index : index + 3]:
            yield prefix, missing[0]


def _is_typo(name: str, right: str) -> bool:
    """Return whether a name is another one with one letter changed, added, left out, or in another case."""
    if name in _OTHERS or len(right) < _LEAST_LETTERS or name == right:
        return False
    if name.lower() == right.lower():
        return True
    if abs(len(name) - len(right)) > 1:
        return False
    pairs = zip(name, right, strict=False)
    start = next((place for place, (a, b) in enumerate(pairs) if a != b), min(len(name), len(right)))
    rest, others = name[start:], right[start:]
    return rest[1:] == others[1:] or rest[1:] == others or rest == others[1:]
