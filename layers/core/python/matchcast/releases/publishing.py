"""Manifests as publishers handle them: read with their ETag, switched only if no other publisher did meanwhile."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

from matchcast.domain.manifests import FileEntry, Manifest
from matchcast.errors import ManifestInvalid, ReleaseRaceLost
from matchcast.ports import ObjectStore

M = TypeVar("M", bound=Manifest)

Bodies = Mapping[str, Mapping[str, bytes]]
"""The files of a release, by key prefix and name."""


@dataclass(frozen=True, slots=True)
class Present(Generic[M]):
    """The manifest that a publisher found: None where there is none that can be read, its ETag and its bytes."""

    manifest: M | None
    etag: str | None
    body: bytes = b""


def read_manifest(objects: ObjectStore, key: str, manifest_type: type[M]) -> Present[M]:
    """Return the manifest that is published now; one that cannot be read may be replaced."""
    stored = objects.get(key)
    if stored is None:
        return Present(None, None)
    try:
        return Present(manifest_type.parse(stored.body, key), stored.etag, stored.body)
    except ManifestInvalid:
        return Present(None, stored.etag, stored.body)


def publish_release(objects: ObjectStore, key: str, manifest: Manifest, bodies: Bodies, present: Present[M]) -> None:
    """Write the files, keep the manifest that was found, and switch to the new one: steps 1 to 3 of the protocol.

    Raises
    ------
    ReleaseRaceLost
        If somebody else switched it since.
    """
    write_files(objects, bodies)
    kept_key = None if present.manifest is None else present.manifest.kept_key
    if kept_key is not None:
        objects.put(kept_key, present.body, "application/json")
    switch_manifest(objects, key, manifest, present)


def write_files(objects: ObjectStore, bodies: Bodies) -> None:
    """Write files; those that are there are written again, which mends what was lost or changed."""
    for prefix, files in bodies.items():
        for name, body in files.items():
            objects.put(prefix + name, body)


def switch_manifest(objects: ObjectStore, key: str, manifest: Manifest, present: Present[M]) -> None:
    """Write a manifest over the one that was found.

    Raises
    ------
    ReleaseRaceLost
        If somebody else switched it since.
    """
    if not objects.switch(key, manifest.body(), present.etag):
        raise ReleaseRaceLost(
            f"Somebody else published to {key} in the meantime. Nothing of this release is served; "
            "look at theirs, then publish again if yours is still wanted."
        )


def timed_id(now: datetime, files: Mapping[str, FileEntry], also: str = "") -> str:
    """Return an id that sorts by time and differs with the contents, such as `20261121T070000Z-1a2b3c4d`."""
    content = also + "".join(f"{name}\n{entry.sha256}\n" for name, entry in sorted(files.items()))
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"
