"""The files of one release, each verified by the digest that its manifest names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from matchcast.domain.manifests import FileEntry
from matchcast.errors import ManifestInvalid
from matchcast.ports import ObjectStore


def read_files(
    objects: ObjectStore, prefix: str, files: Mapping[str, FileEntry], names: Iterable[str] | None = None
) -> dict[str, bytes]:
    """Return the bodies of a release's files, each verified before anybody parses it.

    Parameters
    ----------
    objects
        The data bucket.
    prefix, files
        Where the release is, and what its manifest says of each file.
    names
        The files to read; all of them by default.

    Raises
    ------
    DigestMismatch
        If a file is not the one that the manifest names.
    ManifestInvalid
        If the manifest does not name a file, or the file is not there.
    """
    bodies: dict[str, bytes] = {}
    for name in files if names is None else names:
        if name not in files:
            raise ManifestInvalid(f"The release under {prefix} has no file {name}.")
        stored = objects.get(prefix + name)
        if stored is None:
            raise ManifestInvalid(f"{prefix}{name} is named by the manifest, but is not there; publish it again.")
        bodies[name] = files[name].verify(stored.body, prefix + name)
    return bodies
