"""The queue message."""

from __future__ import annotations

import json

import pytest

from matchcast.domain.task import TaskStatus
from matchcast.errors import InvalidMessage
from matchcast.messages import decode, encode
from tests.support.tasks import NOW, a_prediction, a_task


def test_a_message_carries_the_whole_request() -> None:
    task = a_task(features={"elo": 1.5}, match_id=None, start_by=NOW, priority="high", generation=2, batch_id="b")

    assert decode(encode(task)) == task


def test_a_message_never_carries_state() -> None:
    finished = a_task(status=TaskStatus.SUCCEEDED, result=a_prediction(), attempts=2, completed_at=NOW)

    read = decode(encode(finished))

    assert (read.status, read.result, read.attempts, read.completed_at) == (TaskStatus.QUEUED, None, 0, None)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "not json",
        "[]",
        "null",
        "{}",
        json.dumps({**json.loads(encode(a_task())), "version": 2}),
        json.dumps({key: value for key, value in json.loads(encode(a_task())).items() if key != "tenant"}),
        json.dumps({**json.loads(encode(a_task())), "created_at": "yesterday"}),
    ],
)
def test_what_cannot_be_read_is_an_invalid_message(body: str) -> None:
    with pytest.raises(InvalidMessage):
        decode(body)


def test_the_state_in_a_forged_message_is_ignored() -> None:
    forged = json.dumps({**json.loads(encode(a_task())), "status": "succeeded", "attempts": 9})

    assert decode(forged).status is TaskStatus.QUEUED
