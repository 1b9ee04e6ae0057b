"""Inputs as JSON Lines: lines that are no row, and files that are no JSON Lines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from matchcast.errors import InputRefused
from tests.support.batch_inputs import GOOD, read, read_one, write_text

ROW = json.dumps(GOOD).encode() + b"\n"


@pytest.mark.parametrize(
    ("line", "pointer"),
    [
        (b"[1, 2]", ""),
        (b"7", ""),
        (b"null", ""),
        (b"{}", ""),
        (b'{"elo": 1', ""),
        (b'{"elo": NaN}', ""),
        (b'{"elo": Infinity}', ""),
        (b'{"custom_id": "\xe9"}', ""),
        (b'{"custom_id": "\\ud800"}', ""),
        (b"[" * 20_000, ""),
        (b'{"elo": ' + b"[" * 1000 + b"]" * 1000 + b"}", "/elo"),
        (b'{"elo": ' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}", "/elo"),
        (ROW.strip()[:-1] + b', "elo": 2}', "/elo"),
        (ROW.strip()[:-1] + b', "e\\u006co": 2}', "/elo"),
        (ROW.strip()[:-1] + b', "weather/x": 2}', "/weather~1x"),
        (ROW.replace(b"1500.5", b'"1500.5"'), "/elo"),
        (ROW.replace(b"1500.5", b"true"), "/elo"),
        (ROW.replace(b"1500.5", b"1" + b"0" * 400), ""),
        (ROW.replace(b"1500.5", b'{"a": 1}'), "/elo"),
        (ROW.replace(b": 3", b": 3.5"), "/rest~1days"),
        (ROW.replace(b": 3", b": 18446744073709551615"), "/rest~1days"),
        (ROW.replace(b"true", b"1"), "/derby"),
    ],
)
def test_a_line_that_is_no_row_is_wrong_alone(tmp_path: Path, line: bytes, pointer: str) -> None:
    chunk = read_one(write_text(tmp_path, "rows.jsonl", ROW + b"\n" + line.strip() + b"\r\n \n" + ROW))
    assert chunk.errors[1].code == "invalid-row"
    assert chunk.errors[1].pointer in (pointer, "/elo" if b"0" * 400 in line else pointer)
    assert len(chunk.errors[1].detail) < 400
    assert set(chunk.errors) == {1}
    assert chunk.values[[0, 2]].tolist() == [list(GOOD.values())] * 2


def test_colons_in_texts_are_no_repeated_names(tmp_path: Path) -> None:
    body = b"\xef\xbb\xbf" + ROW.replace(b"{", b'{"custom_id": "a:b:c", ').strip() + b"\r\n"
    chunk = read_one(write_text(tmp_path, "rows.jsonl", body))
    assert (chunk.custom_ids, chunk.errors) == (["a:b:c"], {})


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'[\n{"elo": 1}\n]', "Line 1 is no JSON object"),
        (b"\n\nelo,form\n1,2\n", "Line 3 is no JSON object"),
        (ROW.decode().encode("utf-16"), "UTF-16"),
        (ROW + b'{"custom_id": "' + b"x" * 3_000_000 + b'"}\n', "line 2 has more than"),
        (ROW + b'{"custom_id": "' + b"x" * 1_100_000 + b'"}\n' + ROW * 20_000, "line 2 has more than"),
    ],
)
def test_what_is_no_json_lines_is_refused_with_the_reason(tmp_path: Path, body: bytes, reason: str) -> None:
    with pytest.raises(InputRefused, match=reason):
        read(write_text(tmp_path, "rows.jsonl", body))
