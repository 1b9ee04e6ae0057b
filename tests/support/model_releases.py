"""Model releases in a bucket, without an export: versions that differ in name and files, switched as the tools do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.domain.manifests import PublishedModel
from matchcast.releases.history import ReleaseHistory
from matchcast.releases.switching import Attribution, Switched, switch_models
from tests.support.releases import published
from tests.support.tasks import NOW

SIGNED = Attribution("ada", None)


def body(version: str) -> bytes:
    """Return the file of a version."""
    return f"the model of version {version}".encode()


def version(number: str) -> PublishedModel:
    """Return a version with a file of its own."""
    return published(number, body(number))


def at(release: int) -> datetime:
    """Return when a release is made: one an hour."""
    return NOW + timedelta(hours=release)


def release(
    objects: InMemoryObjects,
    stages: Mapping[str, str],
    *,
    action: str = "publish",
    restores: int | None = None,
    keep: int = 10,
    attribution: Attribution = SIGNED,
) -> Switched:
    """Make the next release, in which each stage serves the version that is named; other stages end."""
    releases = ReleaseHistory(objects)
    objects.now = lambda: at(releases.next_number)
    versions = {stage: version(number) for stage, number in stages.items()}
    return switch_models(
        objects,
        releases,
        versions,
        {each.prefix: {"model.onnx": body(each.version)} for each in versions.values()},
        attribution=attribution,
        action=action,
        restores=restores,
        keep=keep,
        now=at(releases.next_number),
    )
