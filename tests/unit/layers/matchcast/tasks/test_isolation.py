"""A table that refuses one record, a model that one row breaks: the others of the receive go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ParamValidationError

from matchcast.adapters.aws_errors import unavailable_as
from matchcast.domain.task import Task, TaskStatus
from matchcast.errors import MatchcastError, ModelFailed, RequestRefused, StorageUnavailable, UnexpectedFault
from matchcast.predictions import predictor
from matchcast.tasks.isolation import apart
from tests.support.releases import Logits, Release
from tests.support.run_predictions import Unsteady, Worker, queued
from tests.support.tasks import a_delivery


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ClientError({"Error": {"Code": "ValidationException", "Message": "too long"}}, "GetItem"), RequestRefused),
        (ClientError({"Error": {"Code": "AWS.SimpleQueueService.InvalidMessageContents"}}, "Send"), RequestRefused),
        (ParamValidationError(report="MessageBody"), RequestRefused),
        (ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetItem"), StorageUnavailable),
        (ClientError({"Error": {"Code": "ProvisionedThroughputExceededException"}}, "Put"), StorageUnavailable),
        (EndpointConnectionError(endpoint_url="x"), StorageUnavailable),
    ],
)
def test_a_refused_request_is_no_outage_and_a_denied_one_is(error: Exception, kind: type[MatchcastError]) -> None:
    with pytest.raises(kind), unavailable_as(StorageUnavailable, "The table"):
        raise error


def test_items_that_fail_together_are_tried_alone() -> None:
    # GIVEN a call that one item breaks
    def call(items: Sequence[int]) -> list[float]:
        return [1 / item for item in items]

    # WHEN
    results = apart(call, [1, 0, 2])

    # THEN
    assert (results[0], results[2]) == (1, 0.5)
    assert isinstance(results[1], UnexpectedFault)


class Picky(Unsteady):
    """A table that refuses everything about one task."""

    refused = ""

    def get_many(self, task_ids: Sequence[str]) -> Mapping[str, Task]:
        if self.refused in task_ids:
            raise RequestRefused("The record cannot be read.")
        return super().get_many(task_ids)


@pytest.mark.parametrize("raised", [RequestRefused("too large"), KeyError("status"), RecursionError()])
def test_a_task_that_the_table_refuses_is_a_letter_and_its_mates_succeed(
    monkeypatch: pytest.MonkeyPatch, raised: Exception
) -> None:
    # GIVEN a table that raises something for one of three tasks, whatever is asked
    worker = Worker(tasks=Picky())
    bad, *good = queued(worker, 3)

    def finish(task: Task) -> bool:
        if task.task_id == bad.task_id:
            raise raised
        return Unsteady.finish(worker.tasks, task)

    monkeypatch.setattr(worker.tasks, "finish", finish)

    # WHEN
    outcomes = worker(*(a_delivery(task, number=n) for n, task in enumerate([bad, *good])))

    # THEN
    assert all(outcome.done for outcome in outcomes.values())
    assert {worker.task(task).status for task in good} == {TaskStatus.SUCCEEDED}
    assert len(worker.lanes.dead_letters) == 1


def test_a_record_that_cannot_be_read_concerns_its_task_alone() -> None:
    # GIVEN
    table = Picky()
    worker = Worker(tasks=table)
    bad, *good = queued(worker, 5)
    table.refused = bad.task_id

    # WHEN
    outcomes = worker(*(a_delivery(task, number=n) for n, task in enumerate([bad, *good])))

    # THEN
    assert all(outcome.done for outcome in outcomes.values())
    assert [letter.cause for letter in worker.lanes.dead_letters] == ["request-refused"]
    assert {worker.task(task).status for task in good} == {TaskStatus.SUCCEEDED}


class Touchy(Logits):
    """A model that one value breaks."""

    kind: type[Exception] = ModelFailed

    def predict(self, rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        if (rows[:, 0] == 13).any():
            raise self.kind("thirteen")
        return super().predict(rows)


@pytest.mark.parametrize(("kind", "code"), [(ModelFailed, "model-failed"), (ZeroDivisionError, "model-failed")])
def test_one_row_that_breaks_the_model_fails_alone(kind: type[Exception], code: str) -> None:
    # GIVEN five tasks with features of their own, of which one breaks the model
    model = Touchy(np.array([[0.01, 0, -0.01], [0.1, 0, -0.1]], np.float32))
    model.kind = kind
    worker = Worker(release=Release(model=model))
    features = [{"elo_difference": float(value), "form": 1.0} for value in (11, 12, 13, 14, 15)]
    tasks = [queued(worker, 1, match_id=None, features=each)[0] for each in features]

    # WHEN
    worker(*(a_delivery(task, number=n) for n, task in enumerate(tasks)))

    # THEN
    statuses = [worker.task(task).status for task in tasks]
    assert statuses == ["succeeded", "succeeded", "failed", "succeeded", "succeeded"]
    assert [letter.cause for letter in worker.lanes.dead_letters] == [code]


def test_rows_for_which_there_is_no_time_alone_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a model that one row breaks, and no time to try the others alone
    worker = Worker(release=Release(model=Touchy(np.zeros((2, 3), np.float32))))
    monkeypatch.setattr(predictor, "ALONE_SECONDS", -1.0)
    tasks = [
        queued(worker, 1, match_id=None, features={"elo_difference": float(value), "form": 1.0})[0]
        for value in (13, 14)
    ]

    # WHEN
    outcomes = worker(*(a_delivery(task, number=n) for n, task in enumerate(tasks)))

    # THEN
    assert not any(outcome.done for outcome in outcomes.values())
    assert worker.lanes.dead_letters == []
