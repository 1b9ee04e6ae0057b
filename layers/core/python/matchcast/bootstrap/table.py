"""What functions keep in the tasks table: tasks, lane speeds, and its client for keys and results."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from matchcast.bootstrap import parts
from matchcast.settings import TaskSettings

if TYPE_CHECKING:
    from matchcast.adapters.dynamodb_tasks import DynamoDBTasks
    from matchcast.tasks.lane_speed import LaneSpeed


@cache
def dynamodb() -> Any:
    """Return the client of the tasks table."""
    return parts.client("dynamodb")


@cache
def tasks() -> DynamoDBTasks:
    """Return the tasks table and its index."""
    from matchcast.adapters.dynamodb_tasks import DynamoDBTasks

    settings = TaskSettings()
    return DynamoDBTasks(dynamodb(), settings.tasks_table_name, settings.tenant_shards)


@cache
def lane_speed() -> LaneSpeed:
    """Return what is known of the lanes' speed."""
    from matchcast.adapters.dynamodb_records import DynamoDBSpeeds
    from matchcast.tasks.lane_speed import LaneSpeed

    return LaneSpeed(DynamoDBSpeeds(dynamodb(), TaskSettings().tasks_table_name))
