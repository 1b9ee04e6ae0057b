"""Structured logs and embedded metrics, the same names in every function."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit, single_metric
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

from matchcast.errors import MatchcastError, WaitOver

__all__ = [
    "MetricUnit",
    "count_fault",
    "count_requests",
    "flushed_metrics",
    "logger",
    "metrics",
    "outcome_of",
    "report_refused",
]

NAMESPACE = "matchcast"

# Both read POWERTOOLS_SERVICE_NAME, which Lambda sets before it imports code.
logger = Logger()
metrics = Metrics(namespace=NAMESPACE)


def count_requests(source: str, stage: str, outcome: str, count: int = 1) -> None:
    """Add to `prediction_requests_total`; it has dimensions of its own, so it is a record of its own."""
    with single_metric(
        name="prediction_requests_total", unit=MetricUnit.Count, value=count, namespace=NAMESPACE
    ) as metric:
        metric.add_dimension(name="source", value=source)
        metric.add_dimension(name="stage", value=stage)
        metric.add_dimension(name="outcome", value=outcome)


def count_fault() -> None:
    """Add to `service_faults_total` of the function: a request ended in a 5xx that its client did not choose."""
    metrics.add_metric(name="service_faults_total", unit=MetricUnit.Count, value=1)


def outcome_of(error: MatchcastError) -> str:
    """Return the outcome, as `count_requests` takes it, of a request that ended with an error."""
    if isinstance(error, WaitOver):
        return "abandoned"
    return "failed" if error.status >= 500 else "rejected"


def report_refused(kind: str, problem: MatchcastError) -> None:
    """Log why a release (kind `model` or `snapshot`) is not served, and add to `release_problems_total`.

    One alarm watches each kind, whichever function found it, so the kind is a set of dimensions of its own.
    """
    logger.error("release refused", kind=kind, code=problem.code, detail=problem.detail)
    record = AmazonCloudWatchEMFProvider(namespace=NAMESPACE)
    record.add_metric(name="release_problems_total", unit=MetricUnit.Count, value=1)
    record.add_dimensions(kind=kind)
    record.flush_metrics()


@contextmanager
def flushed_metrics() -> Iterator[None]:
    """Write the metrics of one invocation at its end; without any there is nothing to write."""
    try:
        yield
    finally:
        if metrics.provider.metric_set:
            metrics.flush_metrics()
