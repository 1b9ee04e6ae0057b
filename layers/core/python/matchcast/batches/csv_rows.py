"""Input rows as CSV (RFC 4180): UTF-8, commas, one header.

Text becomes values by these rules. Blanks around a number, a boolean or a match id do not count. An empty cell is an
absent value. A number has digits, and may have a sign, a point and an exponent. A boolean is `true` or `false`, in
capitals or not, or `1` or `0`. A `custom_id` is taken as it stands. Blank lines are no rows.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence

import numpy as np

from matchcast.batches.input_cells import INVALID, FeatureCells, RawRows, RowError
from matchcast.batches.input_columns import CUSTOM_ID, MATCH_ID, check_columns, known_names
from matchcast.batches.input_text import LONGEST_ROW, TextBlocks, too_long
from matchcast.domain.signature import Column, Signature
from matchcast.errors import InputRefused

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_WHOLE = re.compile(r"[+-]?[0-9]{1,40}")
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}
_NAN = float("nan")


def read_csv(blocks: TextBlocks, signature: Signature, chunk_rows: int) -> Iterator[RawRows]:
    """Yield the rows; one with too few or too many cells, or with stray quotation marks, is wrong.

    Raises
    ------
    InputRefused
        If the header's columns are not the model's, or a quotation mark is never closed.
    """
    parsed = _Records(blocks)
    header = next(parsed, None)
    if header is None:
        raise InputRefused("The file is empty; send a header and rows.")
    columns = _Columns(_names(header, signature), signature)
    records: list[list[str] | RowError] = []
    for record in parsed:
        records.append(record)
        if len(records) == chunk_rows:
            yield columns.rows(records)
            records = []
    if records:
        yield columns.rows(records)


class _Records:
    """The records of a file: cells, or why there are none."""

    def __init__(self, blocks: TextBlocks) -> None:
        self._blocks = blocks
        self._fed = 0
        self._is_over = False
        self._reader = csv.reader(self._lines(), strict=True)

    def _lines(self) -> Iterator[str]:
        for block in self._blocks:
            # Bytes that are no UTF-8 become what no value can hold, in their row alone.
            for line in io.StringIO(block.decode("utf-8", errors="surrogateescape"), newline="\n"):
                self._fed += len(line)
                if self._fed > LONGEST_ROW:
                    raise too_long(self._reader.line_num + 1)
                yield line
        self._is_over = True

    def __iter__(self) -> Iterator[list[str] | RowError]:
        return self

    def __next__(self) -> list[str] | RowError:
        while True:
            self._fed = 0
            before = self._reader.line_num
            try:
                if record := next(self._reader):
                    return record
            except csv.Error as error:
                line = before + 1
                if self._is_over or self._fed > csv.field_size_limit():
                    reason = "A quotation mark that is opened in the row in line"
                    raise InputRefused(f"{reason} {line} is not closed; close it, or remove it.") from error
                detail = f"The row in line {line} cannot be read ({error}); mend its quotation marks and line end."
                return RowError(INVALID, "", detail)


def _names(header: list[str] | RowError, signature: Signature) -> list[str]:
    if isinstance(header, RowError):
        raise InputRefused(f"The header cannot be read: {header.detail}")
    if len(header) == 1 and (found := [mark for mark in (";", "\t", "|") if mark in header[0]]):
        kind = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}[found[0]]
        raise InputRefused(f"The file is separated by {kind}; separate by commas, with points in decimal numbers.")
    known = known_names(signature)
    names = [name if name in known else name.strip() for name in header]
    check_columns(names, signature)
    return names


class _Columns:
    def __init__(self, names: Sequence[str], signature: Signature) -> None:
        self._width = len(names)
        self._nothing = [""] * len(names)
        self._places = {name: place for place, name in enumerate(names)}
        self._inputs = [column for column in signature.inputs if column.name in self._places]

    def rows(self, records: Sequence[list[str] | RowError]) -> RawRows:
        """Return records as rows."""
        errors: dict[int, RowError] = {}
        whole: list[list[str]] = []
        for number, record in enumerate(records):
            if isinstance(record, list) and len(record) == self._width:
                whole.append(record)
                continue
            whole.append(self._nothing)
            errors[number] = record if isinstance(record, RowError) else self._ragged(len(record))
        columns = list(zip(*whole, strict=True))
        nothing: Sequence[None] = [None] * len(whole)
        custom_ids = columns[self._places[CUSTOM_ID]] if CUSTOM_ID in self._places else nothing
        match_ids = [text.strip() for text in columns[self._places[MATCH_ID]]] if MATCH_ID in self._places else nothing
        features = {column.name: _cells(columns[self._places[column.name]], column) for column in self._inputs}
        return RawRows(len(whole), custom_ids, match_ids, features, errors)

    def _ragged(self, cells: int) -> RowError:
        detail = f"The row has {cells} cells, but the header has {self._width}; add or remove commas."
        return RowError(INVALID, "", detail)


def _cells(texts: Sequence[str], column: Column) -> FeatureCells:
    def cell(row: int) -> object:
        return _value(texts[row], column)

    array = np.array(_booleans(texts) if column.range is None else _numbers(texts), dtype=np.float64)
    given = np.ones(len(texts), dtype=np.bool_)
    for row in np.flatnonzero(np.isnan(array)).tolist():
        given[row] = texts[row] != "" and not texts[row].isspace()
    return FeatureCells(array, given, cell)


def _booleans(texts: Sequence[str]) -> list[float]:
    return [_BOOLEANS.get(text.strip().lower(), _NAN) for text in texts]


def _numbers(texts: Sequence[str]) -> list[float]:
    """Return the numbers of a column, NaN for what is none."""
    joined = "".join(texts)
    # Python would take other digits for numbers, and read over underscores.
    if "_" in joined or not joined.isascii():
        return [float(text) if _NUMBER.fullmatch(text.strip()) else _NAN for text in texts]
    numbers: list[float] = []
    converted = map(float, texts)
    while len(numbers) < len(texts):
        try:
            # What was converted before an error stays, and the next round goes on after it.
            numbers.extend(converted)
        except ValueError:
            numbers.append(_NAN)
    return numbers


def _value(text: str, column: Column) -> object:
    """Return what a text stands for, as JSON would have it; what is none of the column's values stays text."""
    text = text.strip()
    if column.range is None:
        return _BOOLEANS.get(text.lower(), text)
    if _WHOLE.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text) or _NOT_FINITE.fullmatch(text):
        return float(text)
    return text
