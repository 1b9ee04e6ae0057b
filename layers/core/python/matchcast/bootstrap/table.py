"""What functions keep in the tasks table: tasks, lane speeds, and its client for keys and results."""

from __future__ import annotations

from functools import cache
from typing import Any

from matchcast.adapters.counted_tasks import CountedTasks
from matchcast.adapters.dynamodb_records import DynamoDBCircuits, DynamoDBSpeeds
from matchcast.adapters.dynamodb_tasks import DynamoDBTasks
from matchcast.bootstrap import parts
from matchcast.observability import count_task
from matchcast.settings import TaskSettings
from matchcast.tasks.lane_speed import LaneSpeed


@cache
def dynamodb() -> Any:
    """Return the client of the tasks table."""
    return parts.client("dynamodb")


@cache
def tasks() -> DynamoDBTasks:
    """Return the tasks table and its index."""
    settings = TaskSettings()
    return DynamoDBTasks(dynamodb(), settings.tasks_table_name, settings.tenant_shards)


@cache
def counted_tasks() -> CountedTasks:
    """Return the table for functions that end tasks now and then; the worker counts those of a receive together."""
    settings = TaskSettings()
    return CountedTasks(dynamodb(), settings.tasks_table_name, settings.tenant_shards, count_task)


@cache
def lane_speed() -> LaneSpeed:
    """Return what is known of the lanes' speed."""
    return LaneSpeed(DynamoDBSpeeds(dynamodb(), TaskSettings().tasks_table_name))


@cache
def circuits() -> DynamoDBCircuits:
    """Return where workers note which circuits are open."""
    return DynamoDBCircuits(dynamodb(), TaskSettings().tasks_table_name)
