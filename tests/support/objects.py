"""What is in a bucket, for tests that look at it as a whole."""

from __future__ import annotations

from matchcast.ports import ObjectStore


def keys(objects: ObjectStore, prefix: str = "") -> list[str]:
    """Return the keys under a prefix, sorted."""
    return [listed.key for listed in objects.list_objects(prefix)]
