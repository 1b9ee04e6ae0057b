"""Structured logs and embedded metrics, the same names in every function."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit, single_metric
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

from matchcast.errors import MatchcastError, WaitOver

if TYPE_CHECKING:
    from matchcast.domain.task import Task

__all__ = [
    "MetricUnit",
    "count_fault",
    "count_requests",
    "count_task",
    "counted_request",
    "flushed_metrics",
    "logger",
    "metrics",
    "report_circuit",
    "report_refused",
]

NAMESPACE = "matchcast"
UNKNOWN = "unknown"
"""The stage of requests whose stage is not published, or not known: what clients write is no dimension."""

# Both read POWERTOOLS_SERVICE_NAME, which Lambda sets before it imports code.
logger = Logger()
metrics = Metrics(namespace=NAMESPACE)
# A record of metrics is a line of the log, and a sweep counts from several threads.
_line = threading.Lock()


def count_requests(source: str, stage: str, outcome: str, count: int = 1) -> None:
    """Add to `prediction_requests_total`; it has dimensions of its own, so it is a record of its own."""
    with (
        _line,
        single_metric(
            name="prediction_requests_total", unit=MetricUnit.Count, value=count, namespace=NAMESPACE
        ) as metric,
    ):
        metric.add_dimension(name="source", value=source)
        metric.add_dimension(name="stage", value=stage)
        metric.add_dimension(name="outcome", value=outcome)


def count_fault() -> None:
    """Add to `service_faults_total` of the function: a request ended in a 5xx that its client did not choose."""
    metrics.add_metric(name="service_faults_total", unit=MetricUnit.Count, value=1)


@dataclass
class CountedRequest:
    """A request that is answered now; `stage` is a published one, and `later` leaves the count to the task's end."""

    stage: str = UNKNOWN
    later: bool = False


@contextmanager
def counted_request(source: str) -> Iterator[CountedRequest]:
    """Count one request by how the block ends: the only place where its outcome is decided."""
    request, outcome = CountedRequest(), "failed"
    try:
        yield request
        outcome = "succeeded"
    except MatchcastError as error:
        request.later = False
        outcome = "failed" if error.status >= 500 else "rejected"
        if isinstance(error, WaitOver):
            outcome = "abandoned"
        raise
    finally:
        if not request.later:
            count_requests(source, request.stage, outcome)


def count_task(task: Task, count: int = 1) -> None:
    """Count a task, by whoever wrote its final state; the outcome is that state.

    A stage that does not exist is no label: messages may name anything.
    """
    exists = task.error is None or task.error.code != "stage-not-found"
    count_requests("async", task.stage if exists else UNKNOWN, task.status, count)


def report_circuit(cause: str, problem: MatchcastError | None) -> None:
    """Log that the circuit of a cause opened, and why, or closed; add to `circuits_opened_total`."""
    if problem is None:
        logger.info("circuit closed", circuit=cause)
        return
    logger.error("circuit opened", circuit=cause, code=problem.code, detail=problem.detail)
    with single_metric(name="circuits_opened_total", unit=MetricUnit.Count, value=1, namespace=NAMESPACE) as metric:
        metric.add_dimension(name="circuit", value=cause)


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
