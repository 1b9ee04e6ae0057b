"""What tests ask of a parsed match file: its matches, its notes, and whether every row is accounted for."""

from __future__ import annotations

from typing import Any

from matchcast_tools.importing.match_file import ParsedFile


def rows_of(parsed: ParsedFile) -> list[dict[str, Any]]:
    """Return the matches, each as a dictionary."""
    return list(parsed.matches.to_pylist())


def notes(parsed: ParsedFile, kind: str) -> dict[str, list[int]]:
    """Return the lines of each note of a kind, by reason."""
    return {note.reason: note.lines for note in parsed.report.notes.values() if note.kind == kind}


def accounted(parsed: ParsedFile) -> bool:
    """Say whether every row is a match or was skipped with a note."""
    return (
        parsed.report.rows
        == parsed.report.matches + parsed.report.skipped
        == len(parsed.matches) + len([line for lines in notes(parsed, "skipped").values() for line in lines])
    )
