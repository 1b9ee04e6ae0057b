"""The composition root: the only place where settings become adapters and adapters become use cases.

Every factory is cached, reads its settings on its first call, and imports what it needs then; so importing
a handler touches neither the environment nor the network, and a function pays only for its own parts.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from matchcast.domain.manifests import MODEL_MANIFEST_KEY, SNAPSHOT_MANIFEST_KEY, ModelManifest, SnapshotManifest
from matchcast.domain.task import Priority, utc_now
from matchcast.settings import (
    CursorSettings,
    DataSettings,
    HttpSettings,
    PredictNowSettings,
    RunInferenceSettings,
    SubmitPredictionSettings,
    TaskSettings,
    TrackTasksSettings,
)

if TYPE_CHECKING:
    from matchcast.http.cursors import Cursors
    from matchcast.ports import ObjectStore, PredictionQueue, TaskStore
    from matchcast.use_cases.lane_speed import LaneSpeed
    from matchcast.use_cases.predict_now import PredictNow
    from matchcast.use_cases.predictor import Predictor
    from matchcast.use_cases.releases import ManifestReader, Shelf
    from matchcast.use_cases.run_predictions import RunPredictions
    from matchcast.use_cases.submit_prediction import SubmitPrediction
    from matchcast.use_cases.track_tasks import TrackTasks


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


@cache
def tenant_claim() -> str:
    """Return the token's claim that names the tenant."""
    return HttpSettings().tenant_claim


@cache
def objects() -> ObjectStore:
    """Return the data bucket."""
    from matchcast.adapters.s3_objects import S3Objects

    return S3Objects(client("s3", read_timeout=10), DataSettings().data_bucket_name)


@cache
def models() -> ManifestReader[ModelManifest]:
    """Return the reader of the model manifest."""
    from matchcast.use_cases.releases import ManifestReader

    seconds = DataSettings().model_refresh_seconds
    return ManifestReader(objects(), MODEL_MANIFEST_KEY, ModelManifest, seconds)


@cache
def snapshots() -> ManifestReader[SnapshotManifest]:
    """Return the reader of the snapshot manifest."""
    from matchcast.use_cases.releases import ManifestReader

    seconds = DataSettings().model_refresh_seconds
    return ManifestReader(objects(), SNAPSHOT_MANIFEST_KEY, SnapshotManifest, seconds)


@cache
def tasks() -> TaskStore:
    """Return the tasks table."""
    from matchcast.adapters.dynamodb_tasks import DynamoDBTasks

    settings = TaskSettings()
    return DynamoDBTasks(_dynamodb(), settings.tasks_table_name, settings.tenant_shards)


@cache
def lane_speed() -> LaneSpeed:
    """Return what is known of the lanes' speed."""
    from matchcast.adapters.dynamodb_tasks import DynamoDBSpeeds
    from matchcast.use_cases.lane_speed import LaneSpeed

    return LaneSpeed(DynamoDBSpeeds(_dynamodb(), TaskSettings().tasks_table_name))


@cache
def cursors() -> Cursors:
    """Return the signer of list cursors; the key is read when the first cursor is sealed or opened."""
    from matchcast.http.cursors import Cursors

    return Cursors(_secret(CursorSettings().cursor_secret_name))


@cache
def submit_prediction() -> SubmitPrediction:
    """Return the use case of submit_prediction."""
    from matchcast.adapters.sqs_lanes import SQSLanes
    from matchcast.use_cases.releases import MatchIds
    from matchcast.use_cases.submit_prediction import SubmitPrediction

    settings = SubmitPredictionSettings()
    return SubmitPrediction(
        tasks=tasks(),
        lanes=SQSLanes(
            client("sqs"), {Priority.HIGH: settings.high_queue_url, Priority.NORMAL: settings.normal_queue_url}
        ),
        models=models(),
        matches=MatchIds(snapshots(), objects()),
        now=utc_now,
        lifetime=timedelta(seconds=settings.task_lifetime_seconds),
    )


@cache
def track_tasks() -> TrackTasks:
    """Return the use case of track_tasks."""
    from matchcast.use_cases.track_tasks import TrackTasks

    TrackTasksSettings()  # fails at once where the template forgot something
    return TrackTasks(tasks(), utc_now)


@cache
def predict_now() -> PredictNow:
    """Return the use case of predict_now."""
    from matchcast.adapters.lambda_inference import LambdaInference
    from matchcast.use_cases.predict_now import PredictNow

    settings = PredictNowSettings()
    # One attempt: the SDK would run the model again for every retry.
    invoker = client("lambda", read_timeout=30, retries={"total_max_attempts": 1})
    threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="inference")
    return PredictNow(LambdaInference(invoker, settings.run_inference_function_name, threads, utc_now))


@cache
def sync_deadline() -> timedelta:
    """Return how long after its arrival an on-demand request is answered at the latest."""
    return timedelta(seconds=PredictNowSettings().sync_deadline_seconds)


@cache
def shelf() -> Shelf:
    """Return the models that are served."""
    from matchcast.adapters.onnx_model import load_onnx
    from matchcast.use_cases.releases import Shelf

    return Shelf(models(), objects(), load_onnx)


@cache
def predictor() -> Predictor:
    """Return what turns matches and features into predictions."""
    from matchcast.adapters.parquet_features import parse_features
    from matchcast.use_cases.predictor import Predictor
    from matchcast.use_cases.releases import FeatureRows

    return Predictor(shelf(), FeatureRows(snapshots(), objects(), parse_features), utc_now)


@cache
def run_predictions() -> RunPredictions:
    """Return the worker of run_inference."""
    from matchcast.use_cases.run_predictions import RunPredictions

    settings = RunInferenceSettings()
    return RunPredictions(
        predictor=predictor(),
        tasks=tasks(),
        lanes=_lanes_with_dead_letters(settings),
        threads=ThreadPoolExecutor(settings.write_concurrency, thread_name_prefix="writes"),
        now=utc_now,
        max_attempts=settings.max_attempts,
    )


@cache
def lanes_by_queue_name() -> dict[str, Priority]:
    """Return which lane a queue is, by the last part of its URL, which is also the last part of its ARN."""
    settings = RunInferenceSettings()
    urls = {Priority.HIGH: settings.high_queue_url, Priority.NORMAL: settings.normal_queue_url}
    return {url.rsplit("/", 1)[-1]: lane for lane, url in urls.items()}


@cache
def _dynamodb() -> Any:
    return client("dynamodb")


def _lanes_with_dead_letters(settings: RunInferenceSettings) -> PredictionQueue:
    from matchcast.adapters.sqs_lanes import SQSLanes

    return SQSLanes(
        client("sqs"),
        {Priority.HIGH: settings.high_queue_url, Priority.NORMAL: settings.normal_queue_url},
        {
            Priority.HIGH: settings.high_dead_letter_queue_url,
            Priority.NORMAL: settings.normal_dead_letter_queue_url,
        },
    )


def _secret(name: str) -> Callable[[], bytes]:
    @cache
    def read() -> bytes:
        from aws_lambda_powertools.utilities.parameters import get_secret

        return str(get_secret(name, max_age=3600)).encode()

    return read
