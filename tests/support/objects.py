"""What is in a bucket, for tests that look at it as a whole."""

from __future__ import annotations

from matchcast.ports import ObjectStore


def keys(objects: ObjectStore, prefix: str = "") -> list[str]:
    """Return the keys under a prefix, sorted."""
    return [listed.key for listed in objects.list_objects(prefix)]


def content(objects: ObjectStore) -> dict[str, bytes]:
    """Return what every key has."""
    return {key: objects.get(key).body for key in keys(objects)}  # type: ignore[union-attr]
