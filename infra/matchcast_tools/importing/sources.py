"""Paths, folders, patterns and zip archives to the match files in them."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from matchcast_tools.errors import BadInput

LARGEST_FILE = 256 * 1024 * 1024
"""Bytes; a season is 0.2 MB, so a larger file is not a match file."""

_TABLE, _ARCHIVE = ".csv", ".zip"
_PLACEHOLDERS = "*?["


@dataclass(frozen=True, slots=True)
class Source:
    """A file that is read only when it is needed."""

    name: str
    read: Callable[[], bytes]


def find_sources(paths: Sequence[str | Path]) -> list[Source]:
    """Return the match files behind files, folders (with their subfolders), patterns and zip archives.

    Raises
    ------
    BadInput
        If a path does not exist, a folder or an archive holds no CSV file, or an archive cannot be opened.
    """
    if not paths:
        raise BadInput("Name at least one match file, folder, pattern or zip archive, or use --sample.")
    return [source for path in paths for source in _expand(path)]


def _expand(path: str | Path) -> Iterator[Source]:
    given = Path(path)
    if given.is_dir():
        inside = sorted(file for file in given.rglob("*") if _is_match_file(file) and file.is_file())
        if not inside:
            raise BadInput(f"The folder {given} has no .csv or .zip file. Name the folder with the match files.")
        for file in inside:
            yield from _file(file)
    elif given.exists():
        yield from _file(given)
    elif any(character in str(path) for character in _PLACEHOLDERS):
        found = sorted(_matching(given))
        if not found:
            raise BadInput(f"No file matches the pattern {path}.")
        for file in found:
            yield from _expand(file)
    else:
        raise BadInput(f"There is no file or folder {path}. Check the path.")


def _matching(pattern: Path) -> Iterator[Path]:
    """Return the paths that match a pattern; the search begins at its first part with a placeholder."""
    parts = pattern.parts
    first = next(place for place, part in enumerate(parts) if any(character in part for character in _PLACEHOLDERS))
    return Path(*parts[:first]).glob("/".join(parts[first:]))


def _is_match_file(file: Path) -> bool:
    return file.suffix.lower() in (_TABLE, _ARCHIVE) and not file.name.startswith(".")


def _file(file: Path) -> Iterator[Source]:
    if file.suffix.lower() == _ARCHIVE:
        yield from _archive(file)
    else:
        yield Source(str(file), partial(_read, file))


def _read(file: Path) -> bytes:
    try:
        if file.stat().st_size > LARGEST_FILE:
            raise BadInput(f"{file} is larger than {LARGEST_FILE // 2**20} MB, so it is not a match file.")
        return file.read_bytes()
    except OSError as error:
        raise BadInput(f"{file} cannot be read ({error.strerror}). Check its permissions.") from error


def _archive(file: Path) -> Iterator[Source]:
    try:
        with zipfile.ZipFile(file) as archive:
            members = [item for item in archive.infolist() if _is_member(item.filename)]
    except (zipfile.BadZipFile, OSError) as error:
        raise BadInput(f"{file} cannot be opened as a zip archive ({error}). Download it again.") from error
    if not members:
        raise BadInput(f"The archive {file} has no .csv file. Name the archive with the match files.")
    for item in sorted(members, key=lambda member: member.filename):
        yield Source(f"{file.name}/{item.filename}", partial(_member, file, item))


def _is_member(name: str) -> bool:
    inner = Path(name)
    return inner.suffix.lower() == _TABLE and not inner.name.startswith(".") and "__MACOSX" not in inner.parts


def _member(file: Path, item: zipfile.ZipInfo) -> bytes:
    if item.file_size > LARGEST_FILE:
        raise BadInput(f"{item.filename} in {file} is larger than {LARGEST_FILE // 2**20} MB.")
    try:
        with zipfile.ZipFile(file) as archive:
            return archive.read(item)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, OSError, EOFError) as error:
        raise BadInput(
            f"{item.filename} in {file} cannot be unpacked ({error}). Download the archive again."
        ) from error
