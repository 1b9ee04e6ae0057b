"""The use cases of tasks: submit, track and retry them, and fail those of dead letters."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import cache

from matchcast.adapters.dynamodb_records import DynamoDBKeys
from matchcast.adapters.dynamodb_tasks import DynamoDBTasks
from matchcast.adapters.sqs_dead_letters import SQSDeadLetters
from matchcast.adapters.sqs_lanes import SQSLanes
from matchcast.bootstrap import parts, releases, table
from matchcast.domain.task import utc_now
from matchcast.settings import AcceptTaskSettings, DeadLetterSettings
from matchcast.snapshots.features import MatchIds
from matchcast.tasks.accept import AcceptTask
from matchcast.tasks.open_tasks import OpenTasks, counted_one_in
from matchcast.tasks.retry import RetryTask
from matchcast.tasks.submit import SubmitPrediction
from matchcast.tasks.sweep import SweepDeadLetters
from matchcast.tasks.track import TrackTasks

_CALLS_AT_ONCE = 16


@cache
def submit_prediction() -> SubmitPrediction:
    """Return the use case of submit_prediction, which every way of making a task shares."""
    settings = AcceptTaskSettings()
    lanes = SQSLanes(parts.client("sqs"), parts.queues(settings))
    keys = DynamoDBKeys(table.dynamodb(), settings.tasks_table_name)
    limit = settings.max_open_tasks
    tasks = DynamoDBTasks(
        table.dynamodb(), settings.tasks_table_name, settings.tenant_shards, counted_one_in=counted_one_in(limit)
    )
    return SubmitPrediction(
        accept=AcceptTask(tasks=tasks, lanes=lanes, keys=keys, now=utc_now),
        models=releases.models(),
        matches=MatchIds(releases.snapshots(), releases.objects()),
        open_tasks=OpenTasks(index=tasks, speed=table.lane_speed(), limit=limit, now=utc_now),
        lifetime=timedelta(seconds=settings.task_lifetime_seconds),
    )


@cache
def track_tasks() -> TrackTasks:
    """Return what reads and cancels tasks."""
    return TrackTasks(table.counted_tasks(), table.tasks(), utc_now)


@cache
def retry_task() -> RetryTask:
    """Return what tries tasks again."""
    return RetryTask(track_tasks(), submit_prediction())


@cache
def sweep_dead_letters() -> SweepDeadLetters:
    """Return the use case of sweep_dead_letters."""
    queues = parts.dead_letter_queues(DeadLetterSettings())
    letters = SQSDeadLetters(parts.client("sqs"), queues, calls_at_once=_CALLS_AT_ONCE)
    threads = ThreadPoolExecutor(_CALLS_AT_ONCE, thread_name_prefix="writes")
    return SweepDeadLetters(letters, table.counted_tasks(), utc_now, threads)
