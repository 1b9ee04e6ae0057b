"""Lists of tasks hold everything that was there before, whatever happens while they are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3

from matchcast.adapters import dynamodb_tasks
from tests.support.examples import examples
from tests.support.walks import hunt

if TYPE_CHECKING:
    import pytest


def test_a_walk_holds_every_task_that_was_there_before_it(aws: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN calls that look at few entries for the tasks of one match, so that such a walk has many of them
    monkeypatch.setattr(dynamodb_tasks, "_EXAMINED", 12)
    client: Any = boto3.client("dynamodb")

    # WHEN tasks are made and ended before every call of a walk
    # THEN nothing is left out, nothing comes twice, and the order holds
    for seed in range(3, 3 + examples(4)):
        hunt(client, aws["TasksTableName"], seed, walks=1)
