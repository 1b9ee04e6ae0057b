"""Input rows as JSON Lines: one flat object a line, of features, `match_id` and `custom_id`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import orjson

from matchcast.batches.input_cells import INVALID, FeatureCells, RawRows, RowError
from matchcast.batches.input_columns import CUSTOM_ID, MATCH_ID, known_names
from matchcast.batches.input_text import LONGEST_ROW, TextBlocks, too_long
from matchcast.domain.signature import Signature, escape_pointer
from matchcast.echo import quoted
from matchcast.errors import InputRefused

_NUMBERS = {int, float}
_NOTHING: dict[str, Any] = {}


def read_jsonl(blocks: TextBlocks, signature: Signature, chunk_rows: int) -> Iterator[RawRows]:
    """Yield the rows; a line that is no such object is a wrong row, a blank line is none.

    Raises
    ------
    InputRefused
        If the first row is no object, so that the file is of another kind, or a line is too long.
    """
    reader = _Lines(signature)
    lines: list[bytes] = []
    for line in _lines(blocks):
        lines.append(line)
        if len(lines) == chunk_rows:
            yield reader.rows(lines)
            lines = []
    if lines:
        yield reader.rows(lines)


def _lines(blocks: TextBlocks) -> Iterator[bytes]:
    number, is_first = 0, True
    for block in blocks:
        for line in block.removesuffix(b"\n").split(b"\n"):
            number += 1
            if not line or line.isspace():
                continue
            if is_first and not line.lstrip().startswith(b"{"):
                raise InputRefused(f"Line {number} is no JSON object; send JSON Lines, one object a line.")
            if len(line) > LONGEST_ROW:
                raise too_long(number)
            is_first = False
            yield line


class _Lines:
    def __init__(self, signature: Signature) -> None:
        self._inputs = signature.inputs
        self._known = known_names(signature)

    def rows(self, lines: Sequence[bytes]) -> RawRows:
        """Return lines as rows."""
        errors: dict[int, RowError] = {}
        rows: list[dict[str, Any]] = []
        for number, line in enumerate(lines):
            row = self._row(line)
            if isinstance(row, RowError):
                errors[number] = row
                row = _NOTHING
            rows.append(row)
        features = {
            column.name: _cells([row.get(column.name) for row in rows], {bool} if column.range is None else _NUMBERS)
            for column in self._inputs
        }
        custom_ids = [row.get(CUSTOM_ID) for row in rows]
        return RawRows(len(rows), custom_ids, [row.get(MATCH_ID) for row in rows], features, errors)

    def _row(self, line: bytes) -> dict[str, Any] | RowError:
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            return RowError(INVALID, "", f"The line is not JSON (column {error.colno}: {error.msg}).")
        if not isinstance(row, dict):
            return RowError(INVALID, "", "The line is JSON, but not an object; send an object.")
        if not self._known.issuperset(row):
            name = next(name for name in row if name not in self._known)
            detail = f"The model does not know {quoted(name)}; rename it, or leave it out."
            return RowError(INVALID, f"/{escape_pointer(name)}", detail)
        # A flat object has a colon for each member; more of them may be in texts, or belong to a name that comes twice.
        if line.count(b":") != len(row) and (name := _repeated_name(line)) is not None:
            return RowError(INVALID, f"/{escape_pointer(name)}", f"The line names {quoted(name)} twice; leave one.")
        return row


def _cells(values: Sequence[object], plain: set[type]) -> FeatureCells:
    """Return a column whose cells of some types are its numbers; null is an empty cell."""
    kinds = set(map(type, values))
    numbers = values if kinds <= plain else [each if type(each) in plain else None for each in values]
    array = np.array(numbers, dtype=np.float64)
    if kinds <= plain:
        given = np.ones(len(values), dtype=np.bool_)
    else:
        given = np.fromiter((each is not None for each in values), dtype=np.bool_, count=len(values))
    return FeatureCells(array, given, values.__getitem__)


def _repeated_name(line: bytes) -> str | None:
    """Return a name that the outermost object has twice, or None."""
    repeated: list[str | None] = []

    def look(pairs: list[tuple[str, object]]) -> None:
        names = [name for name, _ in pairs]
        repeated.append(next((name for at, name in enumerate(names) if name in names[:at]), None))

    try:
        json.loads(line, object_pairs_hook=look, parse_int=len, parse_float=len)
    except RecursionError:
        # Deeper than any feature; the cell is refused for what it is.
        return None
    return repeated[-1]
