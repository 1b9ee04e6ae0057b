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

if TYPE_CHECKING:
    from matchcast.domain.task import Task
    from matchcast.errors import MatchcastError

__all__ = [
    "CountedRequest",
    "MetricUnit",
    "count_delivery",
    "count_fault",
    "count_requests",
    "count_task",
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
    """A request that asks for predictions, or for something else (`source` is None), which is not counted.

    Attributes
    ----------
    source, stage
        How it asks, and for whose predictions: a stage that is published, else `unknown`.
    is_abandoned
        Whether its client did not wait for the answer as long as the service may take.
    """

    source: str | None = None
    stage: str = UNKNOWN
    is_abandoned: bool = False
    _task_is_new: bool | None = None

    def became_task(self, *, is_new: bool) -> None:
        """Note that the answer is a task: whoever ends a new one counts the request, and an earlier one is a replay."""
        self._task_is_new = is_new

    def end(self, status: int) -> None:
        """Count the request by the status of its answer: the only place where its outcome is decided."""
        if self.source is None or self._task_is_new:
            return
        if status >= 500:
            outcome = "abandoned" if self.is_abandoned else "failed"
        elif status >= 400:
            outcome = "rejected"
        else:
            outcome = "succeeded" if self._task_is_new is None else "replayed"
        count_requests(self.source, self.stage, outcome)


def count_task(task: Task, count: int = 1) -> None:
    """Count a task, by whoever wrote its final state; the outcome is that state.

    A stage that does not exist is no label: messages may name anything.
    """
    exists = task.error is None or task.error.code != "stage-not-found"
    count_requests("async", task.stage if exists else UNKNOWN, task.status, count)


def count_delivery(outcome: str, seconds: float | None) -> None:
    """Add an attempt to deliver an event to `webhook_deliveries_total`, and its time to `webhook_attempt_seconds`."""
    with _line:
        with single_metric(
            name="webhook_deliveries_total", unit=MetricUnit.Count, value=1, namespace=NAMESPACE
        ) as metric:
            metric.add_dimension(name="outcome", value=outcome)
        if seconds is not None:
            metrics.add_metric(name="webhook_attempt_seconds", unit=MetricUnit.Seconds, value=seconds)


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
