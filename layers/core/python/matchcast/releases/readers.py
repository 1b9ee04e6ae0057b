"""Reading one release: the manifest when it has changed, its files verified, the last good release kept.

Whatever is wrong with a new release (its manifest, a digest, the artifact itself) is recorded in `problem` and
reported once per look into the bucket, while the last good release keeps serving.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Generic, TypeVar

from matchcast.deadline import briefly, remaining
from matchcast.domain.manifests import Manifest, ModelManifest
from matchcast.errors import (
    ManifestInvalid,
    MatchcastError,
    ModelNotPublished,
    ModelUnavailable,
    ReleaseRefused,
    SnapshotNotPublished,
    SnapshotUnavailable,
    Transient,
)
from matchcast.ports import ObjectStore, StoredObject

ReportRefusal = Callable[[ReleaseRefused], None]
"""Is called with what is wrong with a release, each time that it is found so."""

EARLIER_RELEASES = 5
"""How many releases back an environment looks that has nothing good of its own."""

LOOK_SECONDS = 1.0
"""How long a request waits for the bucket when it looks for a newer manifest than the good one that it has."""
FIRST_LOOK_SECONDS = 4.0
"""How long a request waits for a manifest while nothing good was read: the first call of an environment is slow."""
LOAD_SECONDS = 5.0
"""How long a request waits for the files of a newer release while there is a good one."""

M = TypeVar("M", bound=Manifest)
R = TypeVar("R")
T = TypeVar("T")


def report_nothing(problem: ReleaseRefused) -> None:
    """Report a refusal nowhere (a `ReportRefusal`)."""


class ManifestReader(Generic[M]):
    """The present manifest of one kind.

    Parameters
    ----------
    objects, key, manifest_type
        Where the manifest is, and what it is.
    refresh_seconds
        How long a manifest is trusted before one conditional GET asks for a newer one.
    report
        Is called for a manifest that is refused, or gone; not for one that never was there.

    Attributes
    ----------
    unavailable, unpublished
        What is raised while nothing good was ever read, and where nothing was ever published.
    checked_at
        When the bucket was last asked.
    problem
        Why the newest manifest is not the one in use; None when it is.
    """

    def __init__(
        self,
        objects: ObjectStore,
        key: str,
        manifest_type: type[M],
        refresh_seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
        *,
        report: ReportRefusal = report_nothing,
    ) -> None:
        self.key = key
        self.report = report
        of_models = manifest_type is ModelManifest
        self.unavailable = ModelUnavailable if of_models else SnapshotUnavailable
        self.unpublished = ModelNotPublished if of_models else SnapshotNotPublished
        self.checked_at: datetime | None = None
        self.problem: MatchcastError | None = None
        self._objects = objects
        self._type = manifest_type
        self._refresh_seconds = refresh_seconds
        self._monotonic = monotonic
        self._good: M | None = None
        self._seen: str | None = None  # the ETag read last, good or not
        self._refusal: ReleaseRefused | None = None  # what is wrong with the version under that ETag
        self._due = 0.0

    def current(self) -> M:
        """Return the newest good manifest.

        Raises
        ------
        SnapshotNotPublished, ModelNotPublished
            If there is no manifest, and none that was replaced.
        SnapshotUnavailable, ModelUnavailable
            If no good manifest was ever read.
        """
        # A request without time leaves the look to the next one: it would only fail, and count as a look.
        if self._good is None or (self._monotonic() >= self._due and _has_time()):
            self._refresh()
        if self._good is None and self._refusal is not None:
            self._good = next(self.earlier(), None)
            if self._good is None and self._seen is None and self.problem is self._refusal:
                self.problem = self.unpublished(self._refusal.detail)
                raise self.unpublished(self._refusal.detail) from self._refusal
        if self._good is None:
            raise self.nothing_good(self.problem, f"{self.key} was not read yet.") from self.problem
        return self._good

    def nothing_good(self, problem: MatchcastError | None, unread: str) -> MatchcastError:
        """Return what is raised while nothing good can be served: a defect if what stands in the way is one."""
        error = self.unavailable(problem.detail if problem else unread)
        error.is_defect = problem is not None and problem.is_defect
        return error

    def earlier(self) -> Iterator[M]:
        """Yield the manifests that were replaced lately, newest first, as far as they can be read."""
        kept = self._type
        try:
            listed = [each.key for each in self._objects.list_objects(kept.kept_under)]
        except Transient:
            return
        keys = sorted(key for key in listed if key.endswith(kept.kept_as) and key != self.key)
        for key in reversed(keys[-EARLIER_RELEASES:]):
            try:
                stored = self._objects.get(key)
                if stored is not None:
                    yield kept.parse(stored.body, key)
            except (ManifestInvalid, Transient):
                continue

    def _refresh(self) -> None:
        self.checked_at = datetime.now(UTC)
        try:
            try:
                with briefly(FIRST_LOOK_SECONDS, 0.5) if self._good is None else briefly(LOOK_SECONDS):
                    found = self._ask()
            finally:
                # From its end: a look that hangs as long as a manifest is trusted must not be due again at once.
                self._due = self._monotonic() + self._refresh_seconds
            if found is not None:
                self._seen, self._refusal = found.etag, None
                self._good = self._type.parse(found.body, self.key)
        except ManifestInvalid as error:
            self._refusal = error
        except Transient as error:
            self.problem = error
            return
        self.problem = self._refusal
        if self._refusal is not None and (self._seen is not None or self._good is not None):
            self.report(self._refusal)

    def _ask(self) -> StoredObject | None:
        """Return the manifest if it is another one than was read last."""
        if self._seen is None:
            found = self._objects.get(self.key)
        else:
            try:
                return self._objects.get_if_changed(self.key, self._seen)
            except KeyError:
                found = None
        if found is None:
            self._seen = None
            raise ManifestInvalid(f"{self.key} is not there; nothing has been published, or it was deleted.")
        return found


def _has_time() -> bool:
    """Tell whether the request that runs, if any, has time left."""
    seconds = remaining()
    return seconds is None or seconds > 0


def has_stage(models: ManifestReader[ModelManifest], stage: str) -> bool:
    """Tell whether a model is published under a stage; False where nothing good was ever read."""
    try:
        return stage in models.current().stages
    except Transient:
        return False


class LastGood(Generic[M, R, T]):
    """What was loaded from the newest release that could be loaded; `problem` says what is wrong with a newer one.

    Parameters
    ----------
    manifests
        Where releases are announced, and kept when they are replaced.
    pick
        Takes what is loaded out of a manifest; None where it has none of it.
    load
        Loads what was picked; raises ReleaseRefused where it is broken.
    """

    def __init__(self, manifests: ManifestReader[M], pick: Callable[[M], R | None], load: Callable[[R], T]) -> None:
        self.problem: MatchcastError | None = None
        self._manifests = manifests
        self._pick = pick
        self._load = load
        self._good: tuple[R, T] | None = None
        self._refused: tuple[R, datetime | None] | None = None

    def get(self, release: R) -> T:
        """Return what was loaded of a release, loaded once, or the last good one if it is refused.

        A refused release is tried again when its manifest has been checked again, not by every request. With
        nothing good yet, the newest release before it that can be loaded is taken.
        """
        if self._good is not None and (self._good[0] is release or self._good[0] == release):
            self.problem = None
            return self._good[1]
        checked_at = self._manifests.checked_at
        if self._refused is None or self._refused != (release, checked_at):
            try:
                with nullcontext() if self._good is None else briefly(LOAD_SECONDS, 0.5):
                    self._good = release, self._load(release)
                self.problem = self._refused = None
            except ReleaseRefused as error:
                self.problem, self._refused = error, (release, checked_at)
                self._manifests.report(error)
                if self._good is None:
                    self._good = self._newest_before(release)
            except Transient as error:
                self.problem = error
                # With nothing to serve, the next request may as well try at once.
                self._refused = None if self._good is None else (release, checked_at)
        if self._good is None:
            raise self._manifests.nothing_good(self.problem, "Nothing is loaded.") from self.problem
        return self._good[1]

    def _newest_before(self, refused: R) -> tuple[R, T] | None:
        for manifest in self._manifests.earlier():
            release = self._pick(manifest)
            if release is not None and release != refused:
                try:
                    return release, self._load(release)
                except (ReleaseRefused, Transient):
                    continue
        return None
