"""The use case of on-demand predictions."""

from __future__ import annotations

from datetime import timedelta
from functools import cache

from matchcast.adapters.dynamodb_records import DynamoDBResults
from matchcast.adapters.lambda_inference import READ_TIMEOUT_SECONDS, LambdaInference
from matchcast.bootstrap import parts, releases, table, tasks
from matchcast.domain.task import utc_now
from matchcast.observability import MetricUnit, metrics
from matchcast.predictions.predict_now import PredictNow
from matchcast.predictions.result_cache import CachedResults
from matchcast.settings import PredictNowSettings


@cache
def predict_now() -> PredictNow:
    """Return the use case of predict_now."""
    settings = PredictNowSettings()
    # One attempt: the SDK would run the model again for every retry.
    invoker = parts.client("lambda", read_timeout=READ_TIMEOUT_SECONDS, retries={"total_max_attempts": 1})
    results = CachedResults(
        cache=DynamoDBResults(table.dynamodb(), settings.tasks_table_name),
        models=releases.models(),
        snapshots=releases.snapshots(),
        now=utc_now,
        lifetime=timedelta(seconds=settings.prediction_cache_ttl),
        count=_count_cache,
    )
    return PredictNow(
        inference=LambdaInference(invoker, settings.run_inference_function_name, utc_now),
        results=results,
        # Made when the first request wants a task: most never do.
        submit=tasks.submit_prediction,
        now=utc_now,
    )


@cache
def sync_deadline() -> timedelta:
    """Return how long after its arrival an on-demand request is answered at the latest."""
    return timedelta(seconds=PredictNowSettings().sync_deadline_seconds)


def _count_cache(what: str) -> None:
    metrics.add_metric(name=f"cache_{what}_total", unit=MetricUnit.Count, value=1)
