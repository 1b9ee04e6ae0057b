"""The use cases of tasks: submit, track and retry them."""

from __future__ import annotations

from datetime import timedelta
from functools import cache

from matchcast.adapters.dynamodb_records import DynamoDBKeys
from matchcast.adapters.dynamodb_tasks import DynamoDBTasks
from matchcast.adapters.sqs_lanes import SQSLanes
from matchcast.bootstrap import parts, releases, table
from matchcast.domain.task import utc_now
from matchcast.settings import AcceptTaskSettings
from matchcast.snapshots.features import MatchIds
from matchcast.tasks.accept import AcceptTask
from matchcast.tasks.open_tasks import OpenTasks, counted_one_in
from matchcast.tasks.retry import RetryTask
from matchcast.tasks.submit import SubmitPrediction
from matchcast.tasks.track import TrackTasks


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
