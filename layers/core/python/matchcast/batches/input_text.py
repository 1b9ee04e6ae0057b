"""Input files of text: told from other kinds, unpacked, and cut into blocks of whole lines, within limits."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from matchcast.errors import InputRefused

PIECE = 1024**2
LONGEST_ROW = 1024**2
"""Bytes of one row."""
_MOST_RATIO = 200
"""Bytes that a byte may become, once more than this many came out:"""
_RATIO_COUNTS_FROM = 64 * 1024**2
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_KINDS = (
    (b"PAR1", "a Parquet file"),
    (b"PARE", "an encrypted Parquet file"),
    (b"\x1f\x8b", "packed with gzip"),
    (b"PK\x03\x04", "a zip archive or an Excel workbook"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"%PDF", "a PDF document"),
    (b"BZh", "packed with bzip2"),
    (b"\xfd7zXZ", "packed with xz"),
    (b"\x28\xb5\x2f\xfd", "packed with zstd"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"ORC", "an ORC file"),
    (b"ARROW1", "an Arrow file"),
    (b"Obj\x01", "an Avro file"),
    (b"\xff\xfe", "text in UTF-16 or UTF-32"),
    (b"\xfe\xff", "text in UTF-16"),
)


def kind_of(head: bytes) -> str | None:
    """Return what a file is by its first bytes; None where they tell nothing."""
    return next((kind for magic, kind in _KINDS if head.startswith(magic)), None)


class TextBlocks:
    """The bytes of a text file, in blocks that end where a line ends.

    Parameters
    ----------
    path
        The file.
    name
        Its format, for the messages.
    gzipped
        Whether it is packed.
    most_bytes
        Of the text.
    """

    def __init__(self, path: Path, name: str, *, gzipped: bool, most_bytes: int) -> None:
        self._path = path
        self._name = name
        self._gzipped = gzipped
        self._most_bytes = most_bytes

    def __iter__(self) -> Iterator[bytes]:
        """Yield the blocks, without a byte order mark.

        Raises
        ------
        InputRefused
            If the file is of another kind, damaged, or longer than it may be, or a line is.
        """
        with self._path.open("rb") as file:
            if self._gzipped:
                self._demand_gzip(file)
                with gzip.GzipFile(fileobj=file) as unpacked:
                    yield from self._blocks(cast("BinaryIO", unpacked), file)
            else:
                yield from self._blocks(file, file)

    def _blocks(self, text: BinaryIO, file: BinaryIO) -> Iterator[bytes]:
        rest, lines, total = b"", 0, 0
        while piece := self._read(text):
            if total == 0:
                self._demand_text(piece)
                piece = piece.removeprefix(_BYTE_ORDER_MARK)
            total += len(piece)
            self._demand_size(total, file)
            end = piece.rfind(b"\n") + 1
            if end:
                block, rest = rest + piece[:end], piece[end:]
                yield block
                lines += block.count(b"\n")
            else:
                rest += piece
            if len(rest) > LONGEST_ROW:
                raise too_long(lines + 1)
        if rest:
            yield rest

    def _read(self, text: BinaryIO) -> bytes:
        try:
            return text.read(PIECE)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            if not self._gzipped:
                raise
            reason = "it ends too early" if isinstance(error, EOFError) else str(error)
            raise InputRefused(f"The file cannot be unpacked ({reason}); pack and upload it again.") from error

    def _demand_gzip(self, file: BinaryIO) -> None:
        head = file.read(16)
        file.seek(0)
        if not head.startswith(b"\x1f\x8b"):
            found = kind_of(head)
            is_what = f"is {found}" if found else "is not packed with gzip"
            raise InputRefused(f"The file's name says gzip, but it {is_what}; pack it, or name it for what it is.")

    def _demand_text(self, head: bytes) -> None:
        if (kind := kind_of(head)) is not None:
            raise InputRefused(f"The file's name says {self._name}, but it is {kind}; send {self._name} in UTF-8.")
        if b"\0" in head.split(b"\n", 1)[0]:
            raise InputRefused(f"The first line has bytes of value 0; send {self._name} in UTF-8.")

    def _demand_size(self, total: int, file: BinaryIO) -> None:
        if total > self._most_bytes:
            raise InputRefused(f"The file has more than {self._most_bytes} bytes of text; send several.")
        if self._gzipped and total > _RATIO_COUNTS_FROM and total > _MOST_RATIO * file.tell():
            raise InputRefused(
                f"The file becomes more than {_MOST_RATIO} times as long when it is unpacked; send it without gzip."
            )


def too_long(line: int) -> InputRefused:
    """Return what to say of a line, or a row of several, that has no end."""
    return InputRefused(
        f"The row in line {line} has more than {LONGEST_ROW} bytes; look for a missing line end or quotation mark."
    )
