"""The worker of the queue of batches, of split_batch."""

from __future__ import annotations

from functools import cache

from matchcast.adapters.parquet_features import parse_features
from matchcast.adapters.sqs_lanes import SQSLanes
from matchcast.batches.attend import AttendBatches
from matchcast.batches.input_rows import InputReader
from matchcast.batches.join import JoinBatches
from matchcast.batches.lose import LoseParts
from matchcast.batches.split import SplitBatches
from matchcast.batches.work import BatchWork
from matchcast.bootstrap import batch_parts, batch_storage, folders, parts, releases
from matchcast.domain.manifests import SnapshotManifest
from matchcast.domain.task import Priority, utc_now
from matchcast.releases.files import read_files
from matchcast.settings import SplitBatchSettings
from matchcast.snapshots.contract import MATCH_FEATURES_FILE
from matchcast.snapshots.features import FeatureTable


@cache
def attend_batches() -> AttendBatches:
    """Return the worker of the queue of batches."""
    settings = SplitBatchSettings()
    queue = {Priority.NORMAL: settings.batches_queue_url}
    dead_letters = {Priority.NORMAL: settings.batches_dead_letter_queue_url}
    return AttendBatches(
        work=BatchWork(_split(), _join(), LoseParts(batch_parts.finish(), batch_parts.window())),
        batches=batch_parts.records(),
        queue=batch_storage.queue(),
        lanes=SQSLanes(parts.client("sqs"), queue, dead_letters),
        now=utc_now,
    )


def _split() -> SplitBatches:
    return SplitBatches(
        batches=batch_parts.records(),
        queue=batch_storage.queue(),
        objects=releases.objects(),
        files=batch_storage.files(),
        models=batch_parts.models(),
        features=_features,
        reader=InputReader,
        plans=batch_parts.plans(),
        window=batch_parts.window(),
        folder=folders.temporary_folder,
        now=utc_now,
    )


def _join() -> JoinBatches:
    return JoinBatches(
        batches=batch_parts.records(),
        finish=batch_parts.finish(),
        objects=releases.objects(),
        files=batch_storage.files(),
        folder=folders.temporary_folder,
        now=utc_now,
    )


def _features(manifest: SnapshotManifest) -> FeatureTable:
    """Read the features of a snapshot, whatever the present one is."""
    files = read_files(releases.objects(), manifest.prefix, manifest.files, (MATCH_FEATURES_FILE,))
    return parse_features(files[MATCH_FEATURES_FILE])
