"""Columns are written as the JSON of their rows, whatever text they hold."""

from __future__ import annotations

import numpy as np
import orjson
from hypothesis import given
from hypothesis import strategies as st

from matchcast.adapters.json_columns import CodedColumn, JsonRows, NumberColumn


@given(texts=st.lists(st.text() | st.none(), min_size=1))
def test_any_text_is_written_as_the_json_that_it_is(texts: list[str | None]) -> None:
    values = list(dict.fromkeys(texts))
    column = CodedColumn(values, np.asarray([values.index(text) for text in texts], dtype=np.int32))
    rows = JsonRows({'a "%b" key': column, "b": NumberColumn(np.arange(len(texts)) / 2)})
    expected = [{'a "%b" key': text, "b": row / 2} for row, text in enumerate(texts)]
    assert orjson.loads(b"[" + rows.span(0, len(rows)) + b"]") == expected
    assert orjson.loads(b"[" + rows.pick(np.array([len(texts) - 1, 0], np.int64)) + b"]") == [expected[-1], expected[0]]
