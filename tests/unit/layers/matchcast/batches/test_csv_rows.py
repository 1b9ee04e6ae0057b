"""Inputs as CSV: text as values, ragged rows, quotation marks, and what is no CSV."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from matchcast.errors import InputRefused
from tests.support.batch_inputs import GOOD, KNOWN_MATCH, read, read_one, write_text, wrong

HEADER = "custom_id,elo,rest/days,derby,form\n"
ROW = "a,1500.5,3,true,0.25\n"


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        ("1500.5,3,true,0.25", [1500.5, 3, 1, 0.25]),
        (" 1e3 ,+4.0,FALSE,.5", [1000, 4, 0, 0.5]),
        ("-1.,-0,1,", [-1, 0, 1, math.nan]),
        ("\u00a01\u00a0,3, 0 ,  ", [1, 3, 0, math.nan]),
        ('"7","8","True","9"', [7, 8, 1, 9]),
        ("1,9223372036854775807,true,", [1, 2.0**63, 1, math.nan]),
        ("1,9223372036854775808,true,", "/rest~1days"),
        ("1,-9223372036854775809,true,", "/rest~1days"),
        ("1_0,3,true,", "/elo"),
        ("\u0661,3,true,", "/elo"),
        ("nan,3,true,", "/elo"),
        ("-Infinity,3,true,", "/elo"),
        ("--inf,3,true,", "/elo"),
        ("3.4028235677973366e38,3,true,", "/elo"),
        ("340282346638528859811704183484516925441,3,true,", "/elo"),
        ("9" * 5000 + ",3,true,", "/elo"),
        ("0x10,3,true,", "/elo"),
        ("true,3,true,", "/elo"),
        ("1\0,3,true,", "/elo"),
        ("1,2.5,true,", "/rest~1days"),
        ("1,3,yes,", "/derby"),
        (",3,true,", "/elo"),
        ("1,3,true,none", "/form"),
        ("1,3,true", ""),
        ("1,3,true,,", ""),
        (",,,", ""),
    ],
)
def test_text_is_read_by_rules_that_do_not_depend_on_its_neighbours(
    tmp_path: Path, cells: str, values: list[float] | str
) -> None:
    # WHEN a row is alone, and among others that are good and bad
    alone = read_one(write_text(tmp_path, "alone.csv", f"{HEADER}a,{cells}\n"))
    among = read_one(write_text(tmp_path, "among.csv", f"{HEADER}{ROW}a,{cells}\nb,x,y,z,w\n\n{ROW}"))

    # THEN
    if isinstance(values, str):
        assert wrong(alone) == {0: ("invalid-row", values)}
        assert wrong(among) == {1: ("invalid-row", values), 2: ("invalid-row", "/elo")}
        assert len(alone.errors[0].detail) < 300
    else:
        assert alone.values[0].tolist() == pytest.approx(values, nan_ok=True)
        assert among.values[1].tolist() == pytest.approx(values, nan_ok=True)
    assert len(among) == 4
    assert among.values[3].tolist() == list(GOOD.values())


def test_a_byte_order_mark_line_ends_and_blanks_in_the_header_do_no_harm(tmp_path: Path) -> None:
    header = HEADER.replace(",", " , ").strip()
    chunk = read_one(write_text(tmp_path, "rows.csv", f"\ufeff{header}\r\n{ROW.strip()}\r\n\r\n{ROW.strip()}"))
    assert chunk.values.tolist() == [list(GOOD.values())] * 2


def test_a_quoted_cell_may_have_commas_and_doubled_quotation_marks(tmp_path: Path) -> None:
    rows = f'"a,""b""",1,2,true,\n"line\nend",1,2,true,\n{ROW}'
    chunk = read_one(write_text(tmp_path, "rows.csv", HEADER + rows))
    assert list(chunk.custom_ids) == ['a,"b"', None, "a"]
    assert wrong(chunk) == {1: ("invalid-row", "/custom_id")}


@pytest.mark.parametrize("row", ['"a"b,1,2,true,\n', "a\rb,1,2,true,\n", '"a" ,1,2,true,\n'])
def test_a_row_with_stray_marks_is_wrong_alone(tmp_path: Path, row: str) -> None:
    chunk = read_one(write_text(tmp_path, "rows.csv", f"{HEADER}{ROW}{row}{ROW}"))
    assert wrong(chunk) == {1: ("invalid-row", "")}
    assert "line 3" in chunk.errors[1].detail
    assert len(chunk) == 3


@pytest.mark.parametrize("rows_after", [3, 10_000, 100_000])
def test_a_quotation_mark_that_is_never_closed_swallows_no_rows(tmp_path: Path, rows_after: int) -> None:
    path = write_text(tmp_path, "rows.csv", HEADER + ROW + '"a,1,2,true,\n' + ROW * rows_after)
    with pytest.raises(InputRefused, match="line 3") as caught:
        read(path)
    assert "quotation mark" in caught.value.detail


def test_bytes_that_are_no_utf8_make_their_row_wrong(tmp_path: Path) -> None:
    # WHEN two rows are Latin-1, the last in a match id
    body = (HEADER + ROW + "Köln,1,2,true,\n" + ROW).encode("latin-1")
    chunk = read_one(write_text(tmp_path, "rows.csv", body))
    ids = read_one(
        write_text(tmp_path, "ids.csv", f"match_id\n {KNOWN_MATCH} \nköln-2024-01-01-a-b\n".encode("latin-1"))
    )

    # THEN
    assert wrong(chunk) == {1: ("invalid-row", "/custom_id")}
    assert chunk.errors[1].detail.isprintable()
    assert wrong(ids) == {1: ("match-not-found", "/match_id")}
    assert ids.errors[1].detail.isprintable()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (HEADER.replace(",", ";") + "a;1;2;3;4\n", "semicolons"),
        (HEADER.replace(",", "\t") + "a\t1\n", "tabs"),
        ((HEADER + ROW).encode("utf-16"), "UTF-16"),
        ((HEADER + ROW).encode("utf-16-le"), "value 0"),
        ("élo,rest/days\n".encode("latin-1"), "does not know: '.lo'"),
        ('{"elo": 1}\n', "does not know"),
        ('"elo\n', "not closed"),
        ('"elo"x,form\n1\n', "header cannot be read"),
        (HEADER + "x" * 3_000_000, "line 2 has more than"),
        ('elo,rest/days,derby\n"' + "x\n" * 1_000_000, "line 2"),
        ("match_id\n" + '"\n",' * 700_000, "line 2"),
    ],
)
def test_what_is_no_such_csv_is_refused_with_the_reason(tmp_path: Path, body: str | bytes, reason: str) -> None:
    with pytest.raises(InputRefused, match=reason) as caught:
        read(write_text(tmp_path, "rows.csv", body))
    assert len(caught.value.detail) < 1000
    assert caught.value.detail.isprintable()
