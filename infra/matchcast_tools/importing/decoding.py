"""Bytes of a match file to text, in any of these encodings: ASCII, cp1252, latin-1, UTF-8 once or twice, UTF-16."""

from __future__ import annotations

import codecs
import re
from contextlib import suppress
from dataclasses import dataclass

from matchcast_tools.errors import BadInput

_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
_MARKUP = re.compile(r"\s*<(?:!doctype|html|head|body|\?xml|!--|script|title|meta|div|p\b)", re.IGNORECASE)
_CONTAINERS = {
    b"PK\x03\x04": "a spreadsheet or an archive; save the sheet as CSV, or give an archive a name that ends in .zip",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; open it and save the sheet as CSV",
    b"\x1f\x8b": "compressed with gzip; decompress it first",
    b"%PDF": "a PDF; download the CSV instead",
}
_BOM = "\ufeff"


@dataclass(frozen=True, slots=True)
class Decoded:
    """The text of a file, the encoding it was in, and whether parts of it were encoded twice."""

    text: str
    encoding: str
    mended: bool


def decode_file(body: bytes, name: str) -> Decoded:
    """Return the text of a match file without its byte order mark.

    Raises
    ------
    BadInput
        If the file is empty, is a web page, or is not text.
    """
    for magic, kind in _CONTAINERS.items():
        if body.startswith(magic):
            raise BadInput(f"{name} is {kind}.")
    text, encoding = _decode(body)
    if "\x00" in text:
        raise BadInput(f"{name} is not a text file. Give the CSV file as it was downloaded.")
    once = text if encoding in ("ascii", "utf-16") else _NOT_ASCII.sub(_undo_double_encoding, text)
    mended = once != text
    text = once.replace(_BOM, "")
    if not text.strip():
        raise BadInput(f"{name} is empty. Download it again, or leave it out.")
    if _MARKUP.match(text):
        raise BadInput(f"{name} is a web page, not a match file. Download the CSV file itself.")
    return Decoded(text, encoding, mended)


def _decode(body: bytes) -> tuple[str, str]:
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return body.decode("utf-16", errors="replace"), "utf-16"
    for encoding in ("ascii", "utf-8", "cp1252"):
        with suppress(UnicodeDecodeError):
            text = body.decode(encoding)
            return text, "utf-8-bom" if encoding == "utf-8" and text.startswith(_BOM) else encoding
    return body.decode("latin-1"), "latin-1"


def _undo_double_encoding(run: re.Match[str]) -> str:
    """Return a run of characters as it was before its UTF-8 bytes were read as cp1252, if they were."""
    try:
        return b"".join(_one_byte(character) for character in run.group()).decode("utf-8")
    except UnicodeError:
        return run.group()


def _one_byte(character: str) -> bytes:
    try:
        return character.encode("cp1252")
    except UnicodeEncodeError:
        # Five bytes have no character in cp1252; programs read them as latin-1.
        return character.encode("latin-1")
