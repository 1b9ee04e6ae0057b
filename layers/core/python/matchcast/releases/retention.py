"""Remove old releases from the data bucket, and nothing that a manifest names or that is new."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from matchcast.domain.manifests import (
    DATASET_MANIFEST_KEY,
    MODEL_MANIFEST_KEY,
    SNAPSHOT_MANIFEST_KEY,
    DatasetManifest,
    SnapshotManifest,
)
from matchcast.errors import ManifestInvalid
from matchcast.ports import ListedObject, ObjectStore, ReleaseStore

_MANIFESTS = (DATASET_MANIFEST_KEY, MODEL_MANIFEST_KEY, SNAPSHOT_MANIFEST_KEY)
_AT_ONCE = 1_000

DATASETS_KEPT = 5
KEPT_RELEASES = 10
"""How many releases of the models, the present one included, keep their files."""
LEAST_AGE = timedelta(hours=1)
"""Younger releases stay: their manifest may be still to come, and readers may hold the one before."""


def prune_snapshots(objects: ReleaseStore, keep: int, now: datetime | None = None) -> list[str]:
    """Delete old snapshots, and return the keys of what was deleted.

    The present one stays, the newest `keep`, and what another took the place of less than an hour ago: readers
    may still hold its manifest.

    Raises
    ------
    ReleaseRefused
        If the snapshot manifest is missing or cannot be read; then nothing is deleted.
    StorageUnavailable
        If something could not be listed or deleted.
    """
    return _prune_releases(objects, SNAPSHOT_MANIFEST_KEY, SnapshotManifest, keep, now or datetime.now(UTC))


def prune_datasets(objects: ReleaseStore, keep: int = DATASETS_KEPT, now: datetime | None = None) -> list[str]:
    """Delete old datasets by the rule of old snapshots; raises what `prune_snapshots` raises."""
    return _prune_releases(objects, DATASET_MANIFEST_KEY, DatasetManifest, keep, now or datetime.now(UTC))


def prune(objects: ReleaseStore, under: str, *, kept: Callable[[], Collection[str]], older_than: datetime) -> list[str]:
    """Delete the objects under a prefix that are not needed, and return their keys.

    A publisher writes its files before the manifest that names them, so only their age distinguishes the files of a
    release that is on its way from those of one that is gone: `older_than` has to lie further back than any
    publisher takes.

    Parameters
    ----------
    objects
        The data bucket.
    under
        The key prefix, with its trailing slash.
    kept
        Returns the keys and key prefixes that stay. It is asked again right before each deletion, for a manifest
        may have come to name what it did not name before. The three manifests themselves always stay.
    older_than
        Only what was written before this time is deleted.

    Raises
    ------
    ValueError
        If `under` is no folder; an empty prefix would mean the whole bucket.
    StorageUnavailable
        If something could not be listed or deleted; whatever `kept` raises ends the removal too.
    """
    if not under.endswith("/"):
        raise ValueError(f"{under!r} is no folder of the bucket; a prefix to prune ends with a slash")
    old = [each.key for each in objects.list_objects(under) if each.modified_at < older_than]
    doomed = _unnamed(old, kept()) if old else []
    deleted: list[str] = []
    for start in range(0, len(doomed), _AT_ONCE):
        still = _unnamed(doomed[start : start + _AT_ONCE], kept())
        if still:
            objects.delete(still)
            deleted += still
    return deleted


def folder_of(manifest_key: str) -> str:
    """Return the key prefix of the releases that a manifest names, with the slash at its end."""
    return manifest_key.rpartition("/")[0] + "/"


def _unnamed(keys: Sequence[str], kept: Collection[str]) -> list[str]:
    protected = (*_MANIFESTS, *kept)
    return [key for key in keys if not key.startswith(protected)]


def _prune_releases(
    objects: ReleaseStore,
    manifest_key: str,
    manifest_type: type[SnapshotManifest | DatasetManifest],
    keep: int,
    now: datetime,
) -> list[str]:
    under, limit = folder_of(manifest_key), now - LEAST_AGE
    newest = _newest(objects.list_objects(under), under, keep, limit)
    return prune(
        objects, under, kept=lambda: {*newest, _present(objects, manifest_key, manifest_type)}, older_than=limit
    )


def _present(objects: ObjectStore, manifest_key: str, manifest_type: type[SnapshotManifest | DatasetManifest]) -> str:
    """Return the prefix that the manifest names; without a manifest it is unknown what is needed."""
    stored = objects.get(manifest_key)
    if stored is None:
        raise ManifestInvalid(f"{manifest_key} is not there, so nothing under it is removed.")
    return manifest_type.parse(stored.body, manifest_key).prefix


def _newest(listed: Sequence[ListedObject], under: str, keep: int, limit: datetime) -> list[str]:
    """Return the prefixes of the newest releases, and of those that another followed after `limit`."""
    written: dict[str, datetime] = {}
    for each in listed:
        folder, slash, _ = each.key.removeprefix(under).partition("/")
        if slash:
            written[folder] = max(each.modified_at, written.get(folder, each.modified_at))
    # Their ids sort by time.
    releases = sorted(written)
    replaced_lately = [release for release, after in pairwise(releases) if written[after] >= limit]
    return [f"{under}{release}/" for release in {*releases[len(releases) - keep :], *replaced_lately}]
