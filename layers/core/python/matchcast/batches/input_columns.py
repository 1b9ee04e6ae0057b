"""Which columns an input file may have, and must have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from matchcast.domain.signature import Signature
from matchcast.echo import quoted
from matchcast.errors import InputRefused

CUSTOM_ID = "custom_id"
MATCH_ID = "match_id"
BOOKKEEPING = frozenset({"row", "home", "draw", "away", "code", "pointer", "detail"})
"""Columns of our own output and error files; they are read over, so that such a file can be sent in again."""
_NAMED = 10
"""Columns that a message names."""


def known_names(signature: Signature) -> frozenset[str]:
    """Return the names that a column can have."""
    return frozenset({CUSTOM_ID, MATCH_ID, *BOOKKEEPING, *signature.names})


def check_columns(names: Sequence[str], signature: Signature) -> None:
    """Check the columns of a file that names them once for all rows.

    Raises
    ------
    InputRefused
        If a name is there twice, or unknown, or the file has neither match ids nor all features that a row needs.
    """
    if doubled := sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []:
        raise InputRefused(f"The file has more than one column of the name {listed(doubled)}; leave one of them.")
    if unknown := [name for name in names if name not in known_names(signature)]:
        raise InputRefused(f"{_unknown(unknown, signature)} Rename or remove what is unknown.")
    given = set(names)
    absent = [column.name for column in signature.inputs if column.required and column.name not in given]
    some = not given.isdisjoint(signature.names)
    if absent and (some or MATCH_ID not in given):
        instead = f"leave all features out and keep '{MATCH_ID}' alone" if MATCH_ID in given else f"send '{MATCH_ID}'"
        raise InputRefused(f"The file lacks columns that the model needs: {listed(absent)}. Add them, or {instead}.")
    if not some and MATCH_ID not in given:
        raise InputRefused(f"The file has neither the column '{MATCH_ID}' nor a feature of the model; add one.")


def listed(names: Iterable[str]) -> str:
    """Return names for a sentence: the first ones, and the number of the others."""
    names = list(names)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(quoted(name) for name in names[:_NAMED]) + more


def _unknown(names: Sequence[str], signature: Signature) -> str:
    """Return which columns are unknown, with the most likely reason."""
    close = {_folded(name): name for name in known_names(signature)}
    reasons = [f"{quoted(name)} is not '{close[_folded(name)]}'" for name in names if _folded(name) in close]
    if any(not name.strip() for name in names):
        reasons.append("one column has no name (pandas writes its index without one; write with index=False)")
    reason = f" ({listed_reasons(reasons)})" if reasons else ""
    return f"The file has columns that the model does not know: {listed(names)}{reason}."


def listed_reasons(reasons: Sequence[str]) -> str:
    """Return the first reasons in one clause."""
    return "; ".join(reasons[:3])


def _folded(name: str) -> str:
    return name.strip().casefold()
