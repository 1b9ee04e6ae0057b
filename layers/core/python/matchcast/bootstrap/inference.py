"""The parts of run_inference: served models, features, the worker of both lanes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache

from matchcast.adapters.parquet_features import parse_features
from matchcast.adapters.sqs_lanes import SQSLanes
from matchcast.batches.run_parts import RunParts
from matchcast.bootstrap import batch_parts, parts, releases, table
from matchcast.domain.task import Priority, utc_now
from matchcast.errors import MatchcastError
from matchcast.observability import report_circuit
from matchcast.ports import PredictionQueue
from matchcast.predictions.predictor import Predictor
from matchcast.releases.served_models import ServedModels
from matchcast.settings import RunInferenceSettings
from matchcast.snapshots.features import FeatureRows
from matchcast.tasks.circuit_breaker import TABLE, CircuitBreaker
from matchcast.tasks.help_high_lane import HelpHighLane
from matchcast.tasks.run import RunPredictions
from matchcast.tasks.stage_calls import SideBySide


@cache
def served_models() -> ServedModels:
    """Return the models that are served."""
    return ServedModels(releases.models(), releases.objects(), batch_parts.loader())


@cache
def predictor() -> Predictor:
    """Return what turns matches and features into predictions."""
    return Predictor(served_models(), FeatureRows(releases.snapshots(), releases.objects(), parse_features), utc_now)


@cache
def run_predictions() -> RunPredictions:
    """Return the worker of run_inference."""
    settings = RunInferenceSettings()
    return RunPredictions(
        predictor=predictor(),
        tasks=table.tasks(),
        lanes=_lanes_with_dead_letters(),
        threads=ThreadPoolExecutor(settings.write_concurrency, thread_name_prefix="writes"),
        breaker=CircuitBreaker(report=_report_circuit),
        now=utc_now,
        max_attempts=settings.max_attempts,
        stage_calls=SideBySide(),
    )


@cache
def run_parts() -> RunParts:
    """Return the worker of the parts of batches."""
    return batch_parts.run_parts(_lanes_with_dead_letters())


@cache
def help_high_lane() -> HelpHighLane:
    """Return the use case by which the normal lane's workers help the high one."""
    return HelpHighLane(run_predictions(), _lanes_with_dead_letters())


@cache
def lanes_by_queue_name() -> dict[str, Priority]:
    """Return which lane a queue is, by the last part of its URL, which is also the last part of its ARN."""
    return {url.rsplit("/", 1)[-1]: lane for lane, url in parts.queues(RunInferenceSettings()).items()}


def _report_circuit(cause: str, problem: MatchcastError | None) -> None:
    """Log and count that a circuit opened or closed, and note it in the table, where `matchcast doctor` finds it."""
    report_circuit(cause, problem)
    if cause != TABLE:
        with suppress(MatchcastError):
            table.circuits().write(cause, problem, utc_now())


@cache
def _lanes_with_dead_letters() -> PredictionQueue:
    settings = RunInferenceSettings()
    return SQSLanes(parts.client("sqs"), parts.queues(settings), parts.dead_letter_queues(settings))
