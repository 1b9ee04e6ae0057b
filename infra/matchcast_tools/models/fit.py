"""Whether a version can predict matches: the features that it needs have to be in the present snapshot."""

from __future__ import annotations

from collections.abc import Collection

from matchcast.adapters.parquet_features import parse_features
from matchcast.domain.manifests import SNAPSHOT_MANIFEST_KEY, PublishedModel, SnapshotManifest
from matchcast.errors import ReleaseRefused
from matchcast.ports import ObjectStore
from matchcast.releases.files import read_files
from matchcast.snapshots.contract import MATCH_FEATURES_FILE


def snapshot_columns(objects: ObjectStore) -> frozenset[str] | None:
    """Return the features of the present snapshot; None where there is no snapshot that can be read."""
    stored = objects.get(SNAPSHOT_MANIFEST_KEY)
    if stored is None:
        return None
    try:
        manifest = SnapshotManifest.parse(stored.body, SNAPSHOT_MANIFEST_KEY)
        bodies = read_files(objects, manifest.prefix, manifest.files, (MATCH_FEATURES_FILE,))
        return frozenset(parse_features(bodies[MATCH_FEATURES_FILE]).columns)
    except ReleaseRefused:
        return None


def check_fit(stage: str, model: PublishedModel, columns: Collection[str] | None) -> None:
    """Refuse a version that could predict no match.

    Raises
    ------
    ReleaseRefused
        With the features that the snapshot lacks. Without a snapshot nothing is known, and nothing is refused.
    """
    missing = [] if columns is None else [name for name in model.signature.names if name not in columns]
    if missing:
        raise ReleaseRefused(
            f"{model.name} version {model.version} ({stage}) needs features that the present snapshot lacks: "
            f"{', '.join(missing)}. Nothing was changed. Make a snapshot of a dataset that has them (`matchcast "
            "snapshot --data ...`) and publish then; or publish it with --without-matches, if it is meant for the "
            "features that callers send themselves."
        )
