"""What an import read, repaired and skipped, row by row: nothing leaves a file without a line here."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

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


@dataclass(slots=True)
class FileReport:
    """One file: `rows = played + awarded + abandoned + fixtures + skipped`, blank rows aside.

    `repaired` counts rows that were mended, `odds` the accepted triples, `odds_rejected` those that
    cannot be right; `error` says why nothing of the file could be used.
    """

    name: str
    format: str = ""
    encoding: str = ""
    divisions: list[str] = field(default_factory=list)
    seasons: list[str] = field(default_factory=list)
    rows: int = 0
    blank_rows: int = 0
    played: int = 0
    awarded: int = 0
    abandoned: int = 0
    fixtures: int = 0
    skipped: int = 0
    repaired: int = 0
    odds: int = 0
    odds_rejected: int = 0
    error: str | None = None
    notes: dict[tuple[Kind, str], Note] = field(default_factory=dict)

    @property
    def matches(self) -> int:
        """Return how many rows became matches."""
        return self.played + self.awarded + self.abandoned + self.fixtures

    def note(self, kind: Kind, reason: str, line: int | None = None) -> None:
        """Add a line to the note with this kind and reason."""
        found = self.notes.setdefault((kind, reason), Note(kind, reason))
        if line is not None:
            found.lines.append(line)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON objects, with the count of each note."""
        content = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        content["matches"] = self.matches
        content["notes"] = [{**asdict(note), "count": note.count} for note in self.notes.values()]
        return content


TOTALS = (
    "rows",
    "blank_rows",
    "matches",
    "played",
    "awarded",
    "abandoned",
    "fixtures",
    "skipped",
    "repaired",
    "odds",
    "odds_rejected",
)


@dataclass(slots=True)
class ImportReport:
    """The files of one import and what became of the dataset.

    `repeated` counts matches that were in more than one of the files; `kept_scores` those whose
    score stayed although a file has none; `withdrawn` and `moved` list the ids that are gone.
    """

    files: list[FileReport]
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    repeated: int = 0
    kept_scores: int = 0
    withdrawn: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    matches: int = 0
    odds: int = 0
    seconds: float = 0.0

    @property
    def failed(self) -> list[FileReport]:
        """Return the files of which nothing could be used."""
        return [file for file in self.files if file.error is not None]

    def total(self, name: str) -> int:
        """Return the sum of one count over all files."""
        return sum(getattr(file, name) for file in self.files)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as one JSON object: totals first, then the dataset, then each file."""
        return {
            "files": len(self.files),
            "files_failed": len(self.failed),
            **{name: self.total(name) for name in TOTALS},
            "added": self.added,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "repeated": self.repeated,
            "kept_scores": self.kept_scores,
            "withdrawn": self.withdrawn,
            "moved": self.moved,
            "dataset": {"matches": self.matches, "odds": self.odds},
            "seconds": round(self.seconds, 3),
            "per_file": [file.as_dict() for file in self.files],
        }
