"""The composition root: the only place where settings become adapters and adapters become use cases.

Every factory is cached, reads its settings on its first call, and imports what it needs then; so importing
a handler touches neither the environment nor the network, and a function pays only for its own parts.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from matchcast.domain.manifests import MODEL_MANIFEST_KEY, SNAPSHOT_MANIFEST_KEY, ModelManifest, SnapshotManifest
from matchcast.domain.task import Priority, utc_now
from matchcast.settings import (
    AcceptTaskSettings,
    CursorSettings,
    DataSettings,
    DeadLetterSettings,
    HttpSettings,
    ModelSettings,
    PredictNowSettings,
    RunInferenceSettings,
    ServePredictionsSettings,
    TaskSettings,
)

if TYPE_CHECKING:
    from matchcast.adapters.dynamodb_tasks import DynamoDBTasks
    from matchcast.http.cursors import Cursors
    from matchcast.ports import PredictionQueue, ReleaseStore
    from matchcast.predictions.predict_now import PredictNow
    from matchcast.predictions.predictor import Predictor
    from matchcast.releases.readers import ManifestReader, Report
    from matchcast.releases.served_models import ServedModels
    from matchcast.snapshots.serve import ServeSnapshot
    from matchcast.tasks.help_high_lane import HelpHighLane
    from matchcast.tasks.lane_speed import LaneSpeed
    from matchcast.tasks.retry import RetryTask
    from matchcast.tasks.run import RunPredictions
    from matchcast.tasks.submit import SubmitPrediction
    from matchcast.tasks.sweep_dead_letters import SweepDeadLetters
    from matchcast.tasks.track import TrackTasks


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


def reports(kind: str) -> Report:
    """Return what logs and counts refused releases of a kind, `model` or `snapshot`."""
    from matchcast.observability import report_refused

    return partial(report_refused, kind)


@cache
def tasks() -> DynamoDBTasks:
    """Return the tasks table and its index."""
    from matchcast.adapters.dynamodb_tasks import DynamoDBTasks

    settings = TaskSettings()
    return DynamoDBTasks(_dynamodb(), settings.tasks_table_name, settings.tenant_shards)


@cache
def lane_speed() -> LaneSpeed:
    """Return what is known of the lanes' speed."""
    from matchcast.adapters.dynamodb_records import DynamoDBSpeeds
    from matchcast.tasks.lane_speed import LaneSpeed

    return LaneSpeed(DynamoDBSpeeds(_dynamodb(), TaskSettings().tasks_table_name))


@cache
def cursors() -> Cursors:
    """Return the signer of list cursors; the key is read when the first cursor is sealed or opened."""
    from matchcast.http.cursors import Cursors

    return Cursors(_secret(CursorSettings().cursor_secret_name))


@cache
def submit_prediction() -> SubmitPrediction:
    """Return the use case of submit_prediction, which every way of making a task shares."""
    from matchcast.adapters.dynamodb_records import DynamoDBKeys
    from matchcast.adapters.sqs_lanes import SQSLanes
    from matchcast.snapshots.features import MatchIds
    from matchcast.tasks.accept import AcceptTask
    from matchcast.tasks.open_tasks import OpenTasks
    from matchcast.tasks.submit import SubmitPrediction

    settings = AcceptTaskSettings()
    lanes = SQSLanes(
        client("sqs"), {Priority.HIGH: settings.high_queue_url, Priority.NORMAL: settings.normal_queue_url}
    )
    keys = DynamoDBKeys(_dynamodb(), settings.tasks_table_name)
    return SubmitPrediction(
        accept=AcceptTask(tasks=tasks(), lanes=lanes, keys=keys, now=utc_now),
        models=models(),
        matches=MatchIds(snapshots(), objects()),
        open_tasks=OpenTasks(
            tasks=tasks(), index=tasks(), speed=lane_speed(), limit=settings.max_open_tasks, now=utc_now
        ),
        lifetime=timedelta(seconds=settings.task_lifetime_seconds),
    )


@cache
def track_tasks() -> TrackTasks:
    """Return what reads and cancels tasks."""
    from matchcast.tasks.track import TrackTasks

    return TrackTasks(tasks(), tasks(), utc_now)


@cache
def retry_task() -> RetryTask:
    """Return what tries tasks again."""
    from matchcast.tasks.retry import RetryTask

    return RetryTask(track_tasks(), submit_prediction())


@cache
def predict_now() -> PredictNow:
    """Return the use case of predict_now."""
    from matchcast.adapters.dynamodb_records import DynamoDBResults
    from matchcast.adapters.lambda_inference import LambdaInference
    from matchcast.predictions.predict_now import PredictNow
    from matchcast.predictions.result_cache import CachedResults

    settings = PredictNowSettings()
    # One attempt: the SDK would run the model again for every retry.
    invoker = client("lambda", read_timeout=30, retries={"total_max_attempts": 1})
    threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="inference")
    results = CachedResults(
        cache=DynamoDBResults(_dynamodb(), settings.tasks_table_name),
        models=models(),
        snapshots=snapshots(),
        now=utc_now,
        lifetime=timedelta(seconds=settings.prediction_cache_ttl),
        count=_count_cache,
    )
    return PredictNow(
        inference=LambdaInference(invoker, settings.run_inference_function_name, threads, utc_now),
        results=results,
        # Made when the first request wants a task: most never do.
        submit=submit_prediction,
        now=utc_now,
    )


@cache
def sync_deadline() -> timedelta:
    """Return how long after its arrival an on-demand request is answered at the latest."""
    return timedelta(seconds=PredictNowSettings().sync_deadline_seconds)


@cache
def served_models() -> ServedModels:
    """Return the models that are served."""
    from matchcast.adapters.model_loaders import loader_for
    from matchcast.releases.served_models import ServedModels

    return ServedModels(models(), objects(), loader_for(ModelSettings().model_runtime))


@cache
def predictor() -> Predictor:
    """Return what turns matches and features into predictions."""
    from matchcast.adapters.parquet_features import parse_features
    from matchcast.predictions.predictor import Predictor
    from matchcast.snapshots.features import FeatureRows

    return Predictor(served_models(), FeatureRows(snapshots(), objects(), parse_features), utc_now)


@cache
def run_predictions() -> RunPredictions:
    """Return the worker of run_inference."""
    from matchcast.tasks.circuit_breaker import CircuitBreaker
    from matchcast.tasks.run import RunPredictions

    settings = RunInferenceSettings()
    return RunPredictions(
        predictor=predictor(),
        tasks=tasks(),
        lanes=_lanes_with_dead_letters(),
        threads=ThreadPoolExecutor(settings.write_concurrency, thread_name_prefix="writes"),
        breaker=CircuitBreaker(),
        now=utc_now,
        max_attempts=settings.max_attempts,
    )


@cache
def help_high_lane() -> HelpHighLane:
    """Return what workers of the normal lane do for the high one."""
    from matchcast.tasks.help_high_lane import HelpHighLane

    return HelpHighLane(run_predictions(), _lanes_with_dead_letters())


@cache
def lanes_by_queue_name() -> dict[str, Priority]:
    """Return which lane a queue is, by the last part of its URL, which is also the last part of its ARN."""
    settings = RunInferenceSettings()
    urls = {Priority.HIGH: settings.high_queue_url, Priority.NORMAL: settings.normal_queue_url}
    return {url.rsplit("/", 1)[-1]: lane for lane, url in urls.items()}


@cache
def serve_predictions_settings() -> ServePredictionsSettings:
    """Return the settings of serve_predictions."""
    return ServePredictionsSettings()


@cache
def serve_snapshot() -> ServeSnapshot:
    """Return the use case of serve_predictions."""
    from matchcast.adapters.parquet_snapshot import parse_snapshot
    from matchcast.snapshots.serve import ServeSnapshot

    settings = serve_predictions_settings()
    parse = partial(parse_snapshot, bookmaker=settings.odds_bookmaker)
    return ServeSnapshot(snapshots(), objects(), parse, utc_now, settings.snapshot_stale_seconds)


@cache
def sweep_dead_letters() -> SweepDeadLetters:
    """Return the use case of sweep_dead_letters."""
    from matchcast.adapters.sqs_dead_letters import SQSDeadLetters
    from matchcast.tasks.sweep_dead_letters import SweepDeadLetters

    return SweepDeadLetters(SQSDeadLetters(client("sqs"), _dead_letter_queues(DeadLetterSettings())), tasks(), utc_now)


@cache
def _dynamodb() -> Any:
    return client("dynamodb")


@cache
def _lanes_with_dead_letters() -> PredictionQueue:
    from matchcast.adapters.sqs_lanes import SQSLanes

    settings = RunInferenceSettings()
    return SQSLanes(
        client("sqs"),
        {Priority.HIGH: settings.high_queue_url, Priority.NORMAL: settings.normal_queue_url},
        _dead_letter_queues(settings),
    )


def _dead_letter_queues(settings: DeadLetterSettings) -> dict[Priority, str]:
    return {
        Priority.HIGH: settings.high_dead_letter_queue_url,
        Priority.NORMAL: settings.normal_dead_letter_queue_url,
    }


def _count_cache(what: str) -> None:
    from matchcast.observability import MetricUnit, metrics

    metrics.add_metric(name=f"cache_{what}_total", unit=MetricUnit.Count, value=1)


def _secret(name: str) -> Callable[[], bytes]:
    @cache
    def read() -> bytes:
        from aws_lambda_powertools.utilities.parameters import get_secret

        return str(get_secret(name, max_age=3600)).encode()

    return read
