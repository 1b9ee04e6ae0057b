"""What the inference and the submission read of a snapshot: features of its matches, and their ids."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Generic, TypeVar

from matchcast.domain.manifests import SnapshotManifest
from matchcast.errors import ManifestInvalid, MatchcastError, ReleaseUnfit
from matchcast.ports import MatchRow, ObjectStore
from matchcast.releases.files import read_files
from matchcast.releases.readers import LastGood, ManifestReader
from matchcast.snapshots.contract import MATCH_FEATURES_FILE, MATCH_IDS_FILE

if TYPE_CHECKING:
    from matchcast.ports import Rows

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FeatureTable:
    """The features of every match of a snapshot.

    `index` maps a match id to its row of `values` (float32, one column per name of `columns`) and
    of `as_of` (milliseconds since 1970, UTC).
    """

    index: Mapping[str, int]
    columns: tuple[str, ...]
    values: Rows
    as_of: Sequence[int]


class SnapshotFile(Generic[T]):
    """One file of the present snapshot as `parse` reads it, with the manifest that it belongs to."""

    def __init__(
        self, manifests: ManifestReader[SnapshotManifest], objects: ObjectStore, name: str, parse: Callable[[bytes], T]
    ) -> None:
        self._manifests = manifests
        self._objects = objects
        self._name = name
        self._parse = parse
        # The stages of one receive ask at the same time; the file is read once.
        self._lock = threading.Lock()
        self._kept: LastGood[SnapshotManifest, SnapshotManifest, tuple[SnapshotManifest, T]] = LastGood(
            manifests, lambda manifest: manifest, self._load
        )

    @property
    def problem(self) -> MatchcastError | None:
        """Return why the newest snapshot is not the one in use; None if it is."""
        return self._kept.problem or self._manifests.problem

    def current(self) -> tuple[SnapshotManifest, T]:
        """Return the newest good snapshot's manifest and the parsed file.

        Raises
        ------
        SnapshotUnavailable
            If no snapshot could ever be read.
        """
        manifest = self._manifests.current()
        with self._lock:
            return self._kept.get(manifest)

    def _load(self, manifest: SnapshotManifest) -> tuple[SnapshotManifest, T]:
        body = read_files(self._objects, manifest.prefix, manifest.files, (self._name,))[self._name]
        return manifest, self._parse(body)


class FeatureRows(SnapshotFile[FeatureTable]):
    """The features of matches, as a model's signature wants them."""

    def __init__(
        self, manifests: ManifestReader[SnapshotManifest], objects: ObjectStore, parse: Callable[[bytes], FeatureTable]
    ) -> None:
        super().__init__(manifests, objects, MATCH_FEATURES_FILE, parse)

    def rows(self, match_ids: Iterable[str], names: Sequence[str]) -> dict[str, MatchRow]:
        """Return the features `names`, in that order, of those matches that the snapshot has.

        Raises
        ------
        SnapshotUnavailable
            If no snapshot could ever be read.
        ReleaseUnfit
            If the present one lacks a feature.
        """
        manifest, table = self.current()
        if missing := [name for name in names if name not in table.columns]:
            raise ReleaseUnfit(
                f"The model of this stage needs features that the present snapshot lacks: {', '.join(missing)}. "
                "Matches cannot be predicted with it until a snapshot has them or another version is published; "
                "features of your own can."
            )
        found = {match_id: table.index[match_id] for match_id in match_ids if match_id in table.index}
        picked = table.values[list(found.values())][:, [table.columns.index(name) for name in names]].tolist()
        return {
            match_id: MatchRow(values, datetime.fromtimestamp(table.as_of[row] / 1000, UTC), manifest.snapshot_id)
            for (match_id, row), values in zip(found.items(), picked, strict=True)
        }


class MatchIds(SnapshotFile[bytes]):
    """The ids of the matches of the present snapshot, searched in place in one buffer of sorted lines."""

    def __init__(self, manifests: ManifestReader[SnapshotManifest], objects: ObjectStore) -> None:
        super().__init__(manifests, objects, MATCH_IDS_FILE, _sorted_lines)

    def __contains__(self, match_id: object) -> bool:
        _, lines = self.current()
        return isinstance(match_id, str) and _has_line(lines, match_id.encode(errors="replace"))


def _sorted_lines(body: bytes) -> bytes:
    lines = body.split(b"\n")
    if lines.pop() != b"" or any(before >= after for before, after in pairwise(lines)):
        raise ManifestInvalid(f"{MATCH_IDS_FILE} is not a list of sorted lines.")
    return body


def _has_line(lines: bytes, wanted: bytes) -> bool:
    """Return whether `wanted` is one of the sorted lines, by bisection over the bytes."""
    low, high = 0, len(lines)
    while low < high:
        start = lines.rfind(b"\n", low, (low + high) // 2) + 1 or low
        end = lines.index(b"\n", start)
        line = lines[start:end]
        if line == wanted:
            return True
        if line < wanted:
            low = end + 1
        else:
            high = start
    return False
