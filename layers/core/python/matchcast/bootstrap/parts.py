"""Parts that several functions share: clients, settings, the data bucket, manifests, the tasks table, cursors."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from matchcast.domain.manifests import MODEL_MANIFEST_KEY, SNAPSHOT_MANIFEST_KEY, ModelManifest, SnapshotManifest
from matchcast.domain.task import Priority, utc_now
from matchcast.settings import (
    CursorSettings,
    DataSettings,
    DeadLetterSettings,
    HttpSettings,
    QueueSettings,
    TaskSettings,
)

if TYPE_CHECKING:
    from matchcast.adapters.dynamodb_tasks import DynamoDBTasks
    from matchcast.http.cursors import Cursors
    from matchcast.ports import ReleaseStore
    from matchcast.releases.readers import ManifestReader, ReportRefusal
    from matchcast.tasks.lane_speed import LaneSpeed


def client(service: str, **config: Any) -> Any:
    """Return an SDK client with short timeouts, three attempts in all, and room for parallel writes."""
    import boto3
    from botocore.config import Config

    options: dict[str, Any] = {
        "connect_timeout": 2,
        "read_timeout": 5,
        "retries": {"mode": "standard", "total_max_attempts": 3},
        "max_pool_connections": 64,
        "tcp_keepalive": True,
        **config,
    }
    return boto3.client(service, config=Config(**options))  # type: ignore[call-overload]


now = utc_now
"""The clock of every function."""


@cache
def tenant_claim() -> str:
    """Return the token's claim that names the tenant."""
    return HttpSettings().tenant_claim


@cache
def objects() -> ReleaseStore:
    """Return the data bucket."""
    from matchcast.adapters.s3_objects import S3Objects

    return S3Objects(client("s3", read_timeout=10), DataSettings().data_bucket_name)


@cache
def models() -> ManifestReader[ModelManifest]:
    """Return the reader of the model manifest."""
    from matchcast.releases.readers import ManifestReader

    seconds = DataSettings().model_refresh_seconds
    return ManifestReader(objects(), MODEL_MANIFEST_KEY, ModelManifest, seconds, report=reports("model"))


@cache
def snapshots() -> ManifestReader[SnapshotManifest]:
    """Return the reader of the snapshot manifest."""
    from matchcast.releases.readers import ManifestReader

    seconds = DataSettings().model_refresh_seconds
    return ManifestReader(objects(), SNAPSHOT_MANIFEST_KEY, SnapshotManifest, seconds, report=reports("snapshot"))


def reports(kind: str) -> ReportRefusal:
    """Return what logs and counts refused releases of a kind, `model` or `snapshot`."""
    from matchcast.observability import report_refused

    return partial(report_refused, kind)


@cache
def dynamodb() -> Any:
    """Return the client of the tasks table."""
    return client("dynamodb")


@cache
def tasks() -> DynamoDBTasks:
    """Return the tasks table and its index."""
    from matchcast.adapters.dynamodb_tasks import DynamoDBTasks

    settings = TaskSettings()
    return DynamoDBTasks(dynamodb(), settings.tasks_table_name, settings.tenant_shards)


@cache
def lane_speed() -> LaneSpeed:
    """Return what is known of the lanes' speed."""
    from matchcast.adapters.dynamodb_records import DynamoDBSpeeds
    from matchcast.tasks.lane_speed import LaneSpeed

    return LaneSpeed(DynamoDBSpeeds(dynamodb(), TaskSettings().tasks_table_name))


@cache
def cursors() -> Cursors:
    """Return the signer of list cursors; the key is read when the first cursor is sealed or opened."""
    from matchcast.http.cursors import Cursors

    return Cursors(_secret(CursorSettings().cursor_secret_name))


def _secret(name: str) -> Callable[[], bytes]:
    @cache
    def read() -> bytes:
        from aws_lambda_powertools.utilities.parameters import get_secret

        return str(get_secret(name, max_age=3600)).encode()

    return read


def queues(settings: QueueSettings) -> dict[Priority, str]:
    """Return the queue of each lane."""
    return {Priority.HIGH: settings.high_queue_url, Priority.NORMAL: settings.normal_queue_url}


def dead_letter_queues(settings: DeadLetterSettings) -> dict[Priority, str]:
    """Return the queue of each lane's dead letters."""
    return {Priority.HIGH: settings.high_dead_letter_queue_url, Priority.NORMAL: settings.normal_dead_letter_queue_url}
