"""What an import read, repaired and skipped: every row of a file is counted here."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from matchcast_tools.importing.teams import Rename

Kind = Literal["info", "repaired", "skipped", "rejected"]


@dataclass(slots=True)
class Note:
    """One reason and the lines of the file that it applies to (counted from 1, as an editor does)."""

    kind: Kind
    reason: str
    lines: list[int] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Return how many rows (for `rejected`: odds) the reason applies to."""
        return len(self.lines)


@dataclass(slots=True, kw_only=True)
class Counts:
    """The counts of a file: `rows = matches + skipped` and `matches = played + awarded + abandoned + fixtures`.

    Blank rows are no rows. `repaired` counts rows that were corrected, `odds` the accepted triples,
    `odds_rejected` those that cannot be right.
    """

    rows: int = 0
    blank_rows: int = 0
    matches: int = 0
    played: int = 0
    awarded: int = 0
    abandoned: int = 0
    fixtures: int = 0
    skipped: int = 0
    repaired: int = 0
    odds: int = 0
    odds_rejected: int = 0


@dataclass(slots=True, kw_only=True)
class FileReport(Counts):
    """One file; `error` says why nothing of it could be used."""

    name: str
    format: str = ""
    encoding: str = ""
    divisions: list[str] = field(default_factory=list)
    seasons: list[str] = field(default_factory=list)
    error: str | None = None
    notes: dict[tuple[Kind, str], Note] = field(default_factory=dict)

    def note(self, kind: Kind, reason: str, line: int | None = None) -> None:
        """Add a line to the note with this kind and reason."""
        found = self.notes.setdefault((kind, reason), Note(kind, reason))
        if line is not None:
            found.lines.append(line)

    def lines(self, kind: Kind) -> list[int]:
        """Return the lines of all notes of this kind; a line may be in several notes."""
        return [line for note in self.notes.values() if note.kind == kind for line in note.lines]

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON objects, with the count of each note."""
        return {**asdict(self), "notes": [{**asdict(note), "count": note.count} for note in self.notes.values()]}


@dataclass(slots=True)
class Changes:
    """What an import changed in the dataset.

    `repeated` counts matches that were in more than one of the files; `kept_scores` those whose
    score stayed although a file has none; `withdrawn` and `moved` list the ids that are gone.
    """

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    repeated: int = 0
    kept_scores: int = 0
    withdrawn: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)

    @property
    def any(self) -> bool:
        """Return whether the dataset is different now."""
        return bool(self.added or self.updated or self.withdrawn or self.moved)


@dataclass(frozen=True, slots=True)
class ImportReport:
    """The files of one import, what they changed, new teams that look like old ones, and what the dataset holds."""

    files: list[FileReport]
    changes: Changes
    renames: list[Rename]
    matches: int
    odds: int
    seconds: float

    @property
    def failed(self) -> list[FileReport]:
        """Return the files of which nothing could be used."""
        return [file for file in self.files if file.error is not None]

    def total(self, name: str) -> int:
        """Return the sum of one of the `Counts` over all files."""
        return sum(getattr(file, name) for file in self.files)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as one JSON object: totals first, then the dataset, then each file."""
        return {
            "files": len(self.files),
            "files_failed": len(self.failed),
            **{count.name: self.total(count.name) for count in fields(Counts)},
            **asdict(self.changes),
            "renames": [asdict(rename) for rename in self.renames],
            "dataset": {"matches": self.matches, "odds": self.odds},
            "seconds": round(self.seconds, 3),
            "per_file": [file.as_dict() for file in self.files],
        }
