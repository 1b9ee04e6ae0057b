"""Publish the dataset to the data bucket: files first, then the manifest."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from matchcast.domain.manifests import DATASET_MANIFEST_KEY, DatasetManifest, FileEntry
from matchcast.ports import ObjectStore
from matchcast.releases.publishing import publish_release, read_manifest, timed_id, write_files
from matchcast.snapshots.dataset import FEATURES_FILE, MATCHES_FILE, ODDS_FILE
from matchcast_tools.dataset.store import read_features, read_matches, read_odds
from matchcast_tools.errors import BadInput


def publish_dataset(objects: ObjectStore, data_dir: Path, now: datetime | None = None) -> DatasetManifest:
    """Upload the local dataset and switch its manifest.

    A dataset that is published already keeps its manifest; its files are written again, which
    restores lost or changed ones.

    Raises
    ------
    BadInput
        If the dataset is missing, unreadable, empty, or its features are not those of its matches.
    ReleaseRaceLost
        If another dataset was published meanwhile.
    """
    present = read_manifest(objects, DATASET_MANIFEST_KEY, DatasetManifest)
    bodies, entries, as_of = _read_local(data_dir)
    if present.manifest is not None and present.manifest.files == entries:
        write_files(objects, {present.manifest.prefix: bodies})
        return present.manifest
    now = now or datetime.now(UTC)
    dataset_id = timed_id(now, entries)
    manifest = DatasetManifest(
        dataset_id=dataset_id, created_at=now, as_of=as_of, prefix=f"datasets/{dataset_id}/", files=entries
    )
    publish_release(objects, DATASET_MANIFEST_KEY, manifest, {manifest.prefix: bodies}, present)
    return manifest


def _read_local(data_dir: Path) -> tuple[dict[str, bytes], dict[str, FileEntry], datetime]:
    """Return the files of the local dataset, their entries, and the time of the latest information in it."""
    # The store raises an error that says what is missing or out of date, and what to do about it.
    for read in (read_matches, read_odds, read_features):
        read(data_dir)
    # Each file is read once, so that its entry describes the bytes that are uploaded.
    bodies = {name: (data_dir / name).read_bytes() for name in (MATCHES_FILE, ODDS_FILE, FEATURES_FILE)}
    tables = {name: pq.read_table(pa.BufferReader(body)) for name, body in bodies.items()}
    ids, features = tables[MATCHES_FILE]["match_id"].to_pylist(), tables[FEATURES_FILE]
    if ids != features["match_id"].to_pylist():
        raise BadInput(f"The features in {data_dir} are not those of its matches. Run `matchcast features`.")
    entries = {name: FileEntry.of(body, rows=len(tables[name])) for name, body in bodies.items()}
    as_of: datetime = pc.max(features["as_of"]).as_py()
    return bodies, entries, as_of
