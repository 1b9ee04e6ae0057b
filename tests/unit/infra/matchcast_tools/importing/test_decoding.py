from __future__ import annotations

import pytest

from matchcast_tools.errors import BadInput
from matchcast_tools.importing.decoding import decode_file

TEXT = "Div,Date,HomeTeam\nD1,16/08/14,São Köln\n"


@pytest.mark.parametrize(
    ("encoding", "name"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8-bom"), ("cp1252", "cp1252"), ("latin-1", "cp1252"), ("utf-16", "utf-16")],
)
def test_every_encoding_gives_the_same_text(encoding: str, name: str) -> None:
    decoded = decode_file(TEXT.encode(encoding), "a.csv")

    assert decoded.text == TEXT
    assert decoded.encoding == name
    assert not decoded.mended


def test_plain_ascii_is_called_ascii() -> None:
    assert decode_file(b"Div,Date\n", "a.csv").encoding == "ascii"


def test_bytes_that_cp1252_lacks_are_latin_1() -> None:
    assert decode_file(b"Div \x81,Date", "a.csv").encoding == "latin-1"


def test_text_that_was_encoded_twice_is_put_right() -> None:
    twice = TEXT.encode("utf-8").decode("cp1252").encode("utf-8")

    decoded = decode_file(twice, "a.csv")

    assert decoded.text == TEXT
    assert decoded.mended


def test_a_byte_order_mark_that_was_encoded_twice_does_not_hide_the_first_column() -> None:
    twice = TEXT.encode("utf-8-sig").decode("cp1252").encode("utf-8")
    assert decode_file(twice, "a.csv").text == TEXT


def test_latin_1_lines_do_not_spoil_utf_8_lines_of_the_same_file() -> None:
    mixed = "São,Köln\n".encode() + "Málaga\n".encode("cp1252")
    assert decode_file(mixed, "a.csv").text == "São,Köln\nMálaga\n"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "is empty"),
        (b"\r\n \n", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "is a web page"),
        (b"\n  <HTML><head>", "is a web page"),
        (b"PK\x03\x04 and so on", "is a spreadsheet or an archive"),
        (b"\xd0\xcf\x11\xe0 workbook", "is an old Excel workbook"),
        (b"\x1f\x8b\x08 packed", "is compressed with gzip"),
        (b"%PDF-1.7", "is a PDF"),
        (b"\x00\x01\x02\x03", "is not a text file"),
    ],
)
def test_what_is_no_text_is_refused_with_what_to_do(body: bytes, reason: str) -> None:
    with pytest.raises(BadInput, match=f"E0.csv .*{reason}"):
        decode_file(body, "E0.csv")
