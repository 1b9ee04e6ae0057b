"""Rows of an input judged: their ids, and their features by the signature's own rules or from the snapshot.

A row has features, or the id of a match whose features are then read from the snapshot. With both, the features count,
and the id is repeated in the output. An empty cell or a null is an absent feature.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from matchcast.batches.input_cells import INVALID, NOT_FOUND, Chunk, Flags, Numbers, RawRows, RowError
from matchcast.batches.input_columns import CUSTOM_ID, MATCH_ID, listed
from matchcast.domain.match_id import is_match_id
from matchcast.domain.signature import Column, Signature, escape_pointer
from matchcast.echo import quoted
from matchcast.errors import InputRefused
from matchcast.snapshots.features import FeatureTable

LONGEST_ID = 256
"""Characters of a custom_id."""
# Control characters, and what is left of bytes that are no UTF-8.
_UNWRITABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class Judge:
    """Judges rows against a signature and the features of a snapshot (None: there is no snapshot)."""

    def __init__(self, signature: Signature, table: FeatureTable | None) -> None:
        self._inputs = signature.inputs
        self._table = table
        known = () if table is None else table.columns
        self._lacking = [column.name for column in signature.inputs if column.name not in known]
        self._picked = [] if self._lacking else [known.index(column.name) for column in signature.inputs]

    def chunk(self, first: int, raw: RawRows) -> Chunk:
        """Return the rows as they are predicted, or with what is wrong with them.

        Raises
        ------
        InputRefused
            If a row has the id of a match, and there is no snapshot, or none with all features of the model.
        """
        errors = dict(raw.errors)
        custom_ids = _custom_ids(raw.custom_ids, errors)
        given = np.zeros(raw.count, dtype=np.bool_)
        for cells in raw.features.values():
            given |= cells.given
        values = self._features(raw, given, errors)
        match_ids = self._matches(raw.match_ids, given, values, errors)
        values[list(errors)] = np.nan
        rows = values.astype(np.float32)
        return Chunk(first, custom_ids, match_ids, rows, {first + row: errors[row] for row in sorted(errors)})

    def _features(self, raw: RawRows, given: Flags, errors: dict[int, RowError]) -> Numbers:
        """Return the features that rows have themselves, NaN elsewhere, as float64 of shape (rows, inputs)."""
        values = np.full((raw.count, len(self._inputs)), np.nan)
        for position, column in enumerate(self._inputs):
            cells = raw.features.get(column.name)
            present = np.zeros_like(given) if cells is None else cells.given
            pointer = f"/{escape_pointer(column.name)}"
            if cells is not None:
                values[:, position] = cells.values
                for row in np.flatnonzero(present & ~_surely_fits(column, cells.values)).tolist():
                    if row in errors:
                        continue
                    value = cells.cell(row)
                    if (reason := column.refuse(value)) is not None:
                        errors[row] = RowError(INVALID, pointer, f"{reason} The row has {_echoed(value)}.")
                    elif isinstance(value, int | float):
                        values[row, position] = float(value)
            if column.required:
                absent = RowError(INVALID, pointer, column.refuse_absence())
                for row in np.flatnonzero(given & ~present).tolist():
                    errors.setdefault(row, absent)
        return values

    def _matches(
        self, ids: Sequence[object], given: Flags, values: Numbers, errors: dict[int, RowError]
    ) -> list[str | None]:
        """Put the features of matches into rows that have none themselves; return the ids, None for what is none."""
        match_ids: list[str | None] = [None] * len(ids)
        wanted: list[tuple[int, str]] = []
        has_features = given.tolist()
        for row, match_id in enumerate(ids):
            if match_id is None or match_id == "":
                if not has_features[row] and row not in errors:
                    reason = f"The row has neither a {MATCH_ID} nor features; give one of them."
                    errors[row] = RowError(INVALID, "", reason)
            elif not isinstance(match_id, str) or not is_match_id(match_id):
                code = INVALID if has_features[row] else NOT_FOUND
                reason = f"{_echoed(match_id)} is no {MATCH_ID}; take one from a list of matches."
                errors.setdefault(row, RowError(code, f"/{MATCH_ID}", reason))
            else:
                match_ids[row] = match_id
                if not has_features[row] and row not in errors:
                    wanted.append((row, match_id))
        if wanted:
            self._look_up(wanted, values, errors)
        return match_ids

    def _look_up(self, wanted: Sequence[tuple[int, str]], values: Numbers, errors: dict[int, RowError]) -> None:
        table = self._table
        if table is None:
            raise InputRefused("No snapshot of matches has been published, so rows need features of their own.")
        if self._lacking:
            raise InputRefused(
                f"The snapshot lacks features that the model needs: {listed(self._lacking)}. Rows with a {MATCH_ID} "
                "cannot be predicted with it; rows with features of their own can."
            )
        found = [(row, table.index[match_id]) for row, match_id in wanted if match_id in table.index]
        if len(found) < len(wanted):
            for row, match_id in wanted:
                if match_id not in table.index:
                    reason = f"The snapshot has no match {quoted(match_id)}; check the id, or give features."
                    errors[row] = RowError(NOT_FOUND, f"/{MATCH_ID}", reason)
        if found:
            rows, places = zip(*found, strict=True)
            values[list(rows)] = table.values[list(places)][:, self._picked]


def _surely_fits(column: Column, values: Numbers) -> Flags:
    """Return where `Column.refuse` finds nothing, as far as float64 can tell; the ends of the ranges are left to it."""
    if column.range is None:
        return ~np.isnan(values)
    lowest, highest = column.range
    inside: Flags = (values > lowest) & (values < highest)
    return inside & (np.trunc(values) == values) if column.is_whole else inside


def _custom_ids(ids: Sequence[object], errors: dict[int, RowError]) -> list[str | None]:
    """Return the ids as text, None for what is empty or wrong. Whole numbers become text."""
    return [None if each is None else _custom_id(row, each, errors) for row, each in enumerate(ids)]


def _custom_id(row: int, given: object, errors: dict[int, RowError]) -> str | None:
    text = str(given) if isinstance(given, int) and not isinstance(given, bool) else given
    if not isinstance(text, str):
        reason = f"A {CUSTOM_ID} is a text or a whole number; send it in quotes."
    elif len(text) > LONGEST_ID:
        reason = f"A {CUSTOM_ID} has at most {LONGEST_ID} characters; send a shorter one than {quoted(text)}."
    elif _UNWRITABLE.search(text):
        reason = f"A {CUSTOM_ID} has no line ends, no control characters, and is UTF-8; mend {quoted(text)}."
    else:
        return text or None
    errors.setdefault(row, RowError(INVALID, f"/{CUSTOM_ID}", reason))
    return None


def _echoed(value: object) -> str:
    """Return a short text of a value; of a list or an object its kind alone."""
    if isinstance(value, list | dict):
        return "an array" if isinstance(value, list) else "an object"
    return quoted(value if isinstance(value, str) else str(value))
