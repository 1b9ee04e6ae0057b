"""Where batches are kept: their records in the tasks table, their files in the data bucket, their messages."""

from __future__ import annotations

from functools import cache

from matchcast.adapters.dynamodb_batches import DynamoDBBatches
from matchcast.adapters.s3_files import S3Files
from matchcast.adapters.sqs_batches import SQSBatches
from matchcast.bootstrap import parts, table
from matchcast.settings import BatchQueueSettings, DataSettings, TaskSettings


@cache
def records() -> DynamoDBBatches:
    """Return the records of batches and parts."""
    return DynamoDBBatches(table.dynamodb(), TaskSettings().tasks_table_name)


@cache
def queue() -> SQSBatches:
    """Return where messages of batches go."""
    settings = BatchQueueSettings()
    return SQSBatches(parts.client("sqs"), settings.batches_queue_url, settings.normal_queue_url)


@cache
def files() -> S3Files:
    """Return the large files of the data bucket.

    Addresses and forms are signed for the bucket's own Region: a global host name would redirect their first users.
    An address without names, as a laptop has one, keeps the bucket in its path.
    """
    client = parts.client("s3", read_timeout=20, signature_version="s3v4", s3={"addressing_style": "virtual"})
    return S3Files(client, DataSettings().data_bucket_name)
