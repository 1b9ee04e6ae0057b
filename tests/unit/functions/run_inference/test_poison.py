"""Poison among good messages of one receive: whatever one message is, it concerns that message alone."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from functions.run_inference.handler import lambda_handler
from matchcast.adapters.dynamodb_tasks import DynamoDBTasks
from matchcast.adapters.in_memory import InMemoryLanes, InMemorySpeeds, InMemoryTasks
from matchcast.adapters.sqs_lanes import SQSLanes
from matchcast.domain.task import Priority, Task, TaskStatus
from matchcast.messages import encode
from matchcast.ports import PredictionQueue, TaskStore
from matchcast.tasks.circuit_breaker import TABLE, CircuitBreaker
from matchcast.tasks.help_high_lane import HelpHighLane
from matchcast.tasks.lane_speed import LaneSpeed
from matchcast.tasks.run import RunPredictions
from matchcast.tasks.stage_calls import SideBySide
from tests.support.http_events import Context
from tests.support.parts import put
from tests.support.poison import FORMS, HARMLESS, UNREADABLE, WRONG, Form
from tests.support.releases import MATCHES, Release
from tests.support.tasks import NOW, a_task
from tests.support.template import deploy_storage

MATCH = next(iter(MATCHES))
QUEUES = {"normal": Priority.NORMAL, "high": Priority.HIGH}


@dataclass
class Receives:
    """The real handler over a table and lanes."""

    tasks: TaskStore
    lanes: PredictionQueue

    def __post_init__(self) -> None:
        self.breaker = CircuitBreaker()

    def start(self, patch: pytest.MonkeyPatch) -> Receives:
        worker = RunPredictions(
            predictor=Release().predictor(),
            tasks=self.tasks,
            lanes=self.lanes,
            threads=ThreadPoolExecutor(4),
            breaker=self.breaker,
            now=lambda: NOW,
            max_attempts=3,
            stage_calls=SideBySide(),
        )
        parts = {
            "inference.run_predictions": worker,
            "inference.help_high_lane": HelpHighLane(worker, InMemoryLanes()),
            "inference.lanes_by_queue_name": QUEUES,
            "table.lane_speed": LaneSpeed(InMemorySpeeds()),
        }
        put(patch.setattr, parts)
        return self

    def __call__(self, *bodies: str) -> set[str]:
        """Receive these bodies together; return the ids of those that have to come again."""
        return self.receive([record(body, number) for number, body in enumerate(bodies)])

    def receive(self, records: list[dict[str, Any]]) -> set[str]:
        answer = lambda_handler({"Records": records}, Context())
        return {item["itemIdentifier"] for item in answer["batchItemFailures"]}

    def task(self, task_id: str) -> Task:
        return self.tasks.get_many([task_id])[task_id]


def record(body: str, number: int) -> dict[str, Any]:
    return {
        "messageId": f"message-{number}",
        "receiptHandle": f"receipt-{number}",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1"},
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:normal",
    }


def good(number: int) -> list[Task]:
    return [a_task(match_id=MATCH) for _ in range(number)]


@pytest.fixture
def receives(monkeypatch: pytest.MonkeyPatch) -> Receives:
    return Receives(InMemoryTasks(), InMemoryLanes()).start(monkeypatch)


@pytest.fixture
def lanes(receives: Receives) -> InMemoryLanes:
    assert isinstance(receives.lanes, InMemoryLanes)
    return receives.lanes


def test_there_are_enough_forms() -> None:
    assert len(UNREADABLE) >= 31
    assert len({form.name for form in FORMS}) == len(FORMS)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_each_form_ends_as_it_must_between_two_good_tasks(receives: Receives, lanes: InMemoryLanes, form: Form) -> None:
    # GIVEN a task whose message is bent, and two good ones
    bent, before, after = good(3)
    body = form.body(bent)

    # WHEN they are received together
    again = receives(encode(before), body, encode(after))

    # THEN the good ones succeed, and nothing opens the circuit of the table
    assert again == set()
    assert {receives.task(task.task_id).status for task in (before, after)} == {TaskStatus.SUCCEEDED}
    assert not receives.breaker.is_open(TABLE)
    if form.end == "dead letter":
        assert [(letter.body, letter.cause) for letter in lanes.dead_letters] == [(body, form.code)]
    else:
        ended = receives.task(bent.task_id)
        assert (ended.status, ended.error.code if ended.error else "") == (form.end, form.code)
        assert lanes.dead_letters == []


def test_all_forms_together_end_on_the_services_of_the_template(monkeypatch: pytest.MonkeyPatch) -> None:
    with mock_aws():
        # GIVEN the handler over table and queues of the template
        for name, value in {"ACCESS_KEY_ID": "t", "SECRET_ACCESS_KEY": "t", "DEFAULT_REGION": "us-east-1"}.items():
            monkeypatch.setenv(f"AWS_{name}", value)
        names, sqs = deploy_storage(boto3.session.Session()), boto3.client("sqs")
        dead = {Priority.HIGH: names["HighDeadLetterQueueUrl"], Priority.NORMAL: names["NormalDeadLetterQueueUrl"]}
        table = DynamoDBTasks(boto3.client("dynamodb"), names["TasksTableName"], 2)
        receives = Receives(table, SQSLanes(sqs, dead, dead)).start(monkeypatch)
        tasks, bent = good(20), good(len(FORMS))

        # WHEN every form and 20 good tasks are received together
        again = receives(
            *(form.body(task) for form, task in zip(FORMS, bent, strict=True)), *(encode(task) for task in tasks)
        )

        # THEN
        assert again == set()
        assert {task.status for task in table.get_many([task.task_id for task in tasks]).values()} == {"succeeded"}
        ended = table.get_many([task.task_id for task in bent])
        assert len(ended) == len(WRONG + HARMLESS)
        letters = sqs.get_queue_attributes(QueueUrl=dead[Priority.NORMAL], AttributeNames=["All"])
        assert int(letters["Attributes"]["ApproximateNumberOfMessages"]) == len(UNREADABLE)


@pytest.mark.parametrize(
    "lacking", ["body", "attributes", "eventSourceARN", "receiptHandle"], ids=lambda name: f"without {name}"
)
def test_a_record_that_lacks_something_concerns_no_other(receives: Receives, lacking: str) -> None:
    # GIVEN a record of a receive that lacks something that SQS always gives
    odd, other = good(2)
    records = [record(encode(odd), 1), record(encode(other), 2)]
    del records[0][lacking]

    # WHEN
    again = receives.receive(records)

    # THEN
    assert again == set()
    assert receives.task(other.task_id).status is TaskStatus.SUCCEEDED


def test_the_task_of_an_unreadable_message_fails_with_a_reason(receives: Receives, lanes: InMemoryLanes) -> None:
    # GIVEN a queued task whose message has a version of the future
    (task,) = good(1)
    receives.tasks.create(task)

    # WHEN
    receives(json.dumps({**json.loads(encode(task)), "version": 2}))

    # THEN
    ended = receives.task(task.task_id)
    assert ended.status is TaskStatus.FAILED
    assert ended.error is not None
    assert ended.error.code == "invalid-message"
    assert [letter.cause for letter in lanes.dead_letters] == ["invalid-message"]


@pytest.mark.parametrize("generation", [0, 2])
def test_a_message_of_another_generation_is_dropped(receives: Receives, generation: int) -> None:
    task = a_task(match_id=MATCH, generation=1)
    receives.tasks.create(task)

    again = receives(encode(task.model_copy(update={"generation": generation})))

    assert again == set()
    assert receives.task(task.task_id) == task


@given(poison=st.binary(max_size=400) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(poison=b"[" * 20_000)
@example(poison=b"\x80")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_as_one_message_of_a_receive_concern_no_other(monkeypatch: pytest.MonkeyPatch, poison: bytes) -> None:
    receives = Receives(InMemoryTasks(), InMemoryLanes()).start(monkeypatch)
    tasks = good(4)

    again = receives(*(encode(task) for task in tasks), poison.decode("utf-8", "surrogateescape"))

    assert again == set()
    assert {receives.task(task.task_id).status for task in tasks} == {TaskStatus.SUCCEEDED}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


@given(changes=st.dictionaries(st.sampled_from([*a_task(features=None).model_dump(), "version"]), VALUES, max_size=4))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_values_in_the_fields_of_one_message_concern_no_other(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    # GIVEN a message of which some fields have any values
    receives = Receives(InMemoryTasks(), InMemoryLanes()).start(monkeypatch)
    bent, *tasks = good(4)
    body = json.dumps({**json.loads(encode(bent)), **changes})

    # WHEN it is received with good ones
    again = receives(*(encode(task) for task in tasks), body)

    # THEN
    assert again == set()
    assert {receives.task(task.task_id).status for task in tasks} == {TaskStatus.SUCCEEDED}
