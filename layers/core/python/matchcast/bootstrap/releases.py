"""What functions read of releases: the data bucket, and the manifests of models and snapshots."""

from __future__ import annotations

from functools import cache, partial

from matchcast.adapters.s3_objects import S3Objects
from matchcast.bootstrap import parts
from matchcast.domain.manifests import MODEL_MANIFEST_KEY, SNAPSHOT_MANIFEST_KEY, ModelManifest, SnapshotManifest
from matchcast.observability import report_refused
from matchcast.ports import ReleaseStore
from matchcast.releases.readers import ManifestReader, ReportRefusal
from matchcast.settings import DataSettings


@cache
def objects() -> ReleaseStore:
    """Return the data bucket.

    The inference has no limit of its own but is waited for: a bucket that hangs holds up a look for 8 s, so two of
    them leave time for an answer from what is in memory.
    """
    client = parts.client("s3", read_timeout=4, retries={"mode": "standard", "total_max_attempts": 2})
    return S3Objects(client, DataSettings().data_bucket_name)


def model_manifests(refresh_seconds: float) -> ManifestReader[ModelManifest]:
    """Return a new reader of the model manifest, which asks for a newer one after some seconds."""
    return ManifestReader(objects(), MODEL_MANIFEST_KEY, ModelManifest, refresh_seconds, report=_reports("model"))


@cache
def models() -> ManifestReader[ModelManifest]:
    """Return the reader of the model manifest."""
    return model_manifests(DataSettings().model_refresh_seconds)


@cache
def snapshots() -> ManifestReader[SnapshotManifest]:
    """Return the reader of the snapshot manifest."""
    seconds = DataSettings().model_refresh_seconds
    return ManifestReader(objects(), SNAPSHOT_MANIFEST_KEY, SnapshotManifest, seconds, report=_reports("snapshot"))


def _reports(kind: str) -> ReportRefusal:
    """Return what logs and counts refused releases of a kind."""
    return partial(report_refused, kind)
