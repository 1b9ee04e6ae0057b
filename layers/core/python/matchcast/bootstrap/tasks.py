"""The use cases of tasks: submit, track and retry them, and fail those of dead letters."""

from __future__ import annotations

from datetime import timedelta
from functools import cache

from matchcast.adapters.dynamodb_records import DynamoDBKeys
from matchcast.adapters.sqs_dead_letters import SQSDeadLetters
from matchcast.adapters.sqs_lanes import SQSLanes
from matchcast.bootstrap import parts, releases, table
from matchcast.domain.task import utc_now
from matchcast.settings import AcceptTaskSettings, DeadLetterSettings
from matchcast.snapshots.features import MatchIds
from matchcast.tasks.accept import AcceptTask
from matchcast.tasks.dead_letters import SweepDeadLetters
from matchcast.tasks.open_tasks import OpenTasks
from matchcast.tasks.retry import RetryTask
from matchcast.tasks.submit import SubmitPrediction
from matchcast.tasks.track import TrackTasks


@cache
def submit_prediction() -> SubmitPrediction:
    """Return the use case of submit_prediction, which every way of making a task shares."""
    settings = AcceptTaskSettings()
    lanes = SQSLanes(parts.client("sqs"), parts.queues(settings))
    keys = DynamoDBKeys(table.dynamodb(), settings.tasks_table_name)
    return SubmitPrediction(
        accept=AcceptTask(tasks=table.tasks(), lanes=lanes, keys=keys, now=utc_now),
        models=releases.models(),
        matches=MatchIds(releases.snapshots(), releases.objects()),
        open_tasks=OpenTasks(
            tasks=table.tasks(),
            index=table.tasks(),
            speed=table.lane_speed(),
            limit=settings.max_open_tasks,
            now=utc_now,
        ),
        lifetime=timedelta(seconds=settings.task_lifetime_seconds),
    )


@cache
def track_tasks() -> TrackTasks:
    """Return what reads and cancels tasks."""
    return TrackTasks(table.tasks(), table.tasks(), utc_now)


@cache
def retry_task() -> RetryTask:
    """Return what tries tasks again."""
    return RetryTask(track_tasks(), submit_prediction())


@cache
def sweep_dead_letters() -> SweepDeadLetters:
    """Return the use case of sweep_dead_letters."""
    letters = SQSDeadLetters(parts.client("sqs"), parts.dead_letter_queues(DeadLetterSettings()))
    return SweepDeadLetters(letters, table.tasks(), utc_now)
