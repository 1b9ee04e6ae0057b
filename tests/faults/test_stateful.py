"""Sequences of requests through the real handlers, compared with the specification step by step."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from functions.submit_prediction.handler import lambda_handler as submit_prediction
from functions.track_tasks.handler import lambda_handler as track_tasks
from matchcast.messages import decode
from matchcast.tasks.dead_letters import Redrive
from tests.faults.comparison import Comparison, Made
from tests.faults.specification import RETRIABLE
from tests.support.examples import examples
from tests.support.releases import MATCHES

TENANTS = st.sampled_from(["north", "north", "north", "south"])
KEYS = st.sampled_from([None, None, "k1", "k2"])
SUBJECTS = st.sampled_from(
    [{"match_id": match_id} for match_id in list(MATCHES)[:2]]
    + [{"features": {"elo_difference": 12.0, "form": 1.5}}, {"features": {"elo_difference": -3.0, "form": 0.5}}]
)
PASSING = st.sampled_from([1, 1, 1, 20, 31, 91, 91, 91, 3599, 3601, 7 * 86_400])
IS_OWNER = st.sampled_from([True, True, True, False])
UNKNOWN = "0190a1b2-0000-7000-8000-000000000000"


class Requests(Comparison):
    """Clients, a worker and an operator; after every request its answer is what the specification says."""

    # Requests that make tasks.

    @rule(
        tenant=TENANTS,
        subject=SUBJECTS,
        key=KEYS,
        priority=st.sampled_from(["normal", "high"]),
        within=st.sampled_from([None, None, 1, 30, 3600]),
    )
    def submit(self, tenant: str, subject: dict[str, Any], key: str | None, priority: str, within: int | None) -> None:
        body = {**subject, "priority": priority, "start_within": within}
        answer = self.ask(submit_prediction, "POST", "/predict/async/", tenant, body=body, key=key)
        self.accepted(answer, Made(tenant, subject, priority, within), key, ("submit", body))

    @rule(tenant=TENANTS, subject=SUBJECTS, key=KEYS)
    def ask_for_a_task(self, tenant: str, subject: dict[str, Any], key: str | None) -> None:
        answer, key = self.prefer("respond-async", tenant, subject, key)
        self.accepted(answer, Made(tenant, subject, "high"), key, ("predict", subject))

    @rule(tenant=TENANTS, subject=SUBJECTS, key=KEYS)
    def wait_for_a_prediction(self, tenant: str, subject: dict[str, Any], key: str | None) -> None:
        broken, known, made = self.spec.is_model_broken, None, Made(tenant, subject, "high")
        if "features" in subject:
            known = self.spec.by_key(tenant, key, ("predict", subject), self.now)
        answer, key = self.prefer("wait=5, respond-async", tenant, subject, key)
        if known is not None:
            self.waited_again(answer, made, key, ("predict", subject))
            return
        # The message was sent first, so that it can finish the task if the invocation cannot.
        message, *again = self.new_messages()
        # Where nothing works on the task, it is sent once more, without a delay.
        assert again == [message] * broken
        task = made.task(decode(message).task_id, self.now)
        self.spec.add(task, key, ("predict", subject))
        assert answer.status == (202 if broken else 200)
        if not broken:
            task.status, task.result = "succeeded", answer.json

    @precondition(lambda self: self.spec.tasks)
    @rule(data=st.data(), is_owner=IS_OWNER, key=st.sampled_from([None, "k1", "k3", "k3"]))
    def retry(self, data: st.DataObject, is_owner: bool, key: str | None) -> None:
        ended = [one.task_id for one in self.spec.tasks.values() if one.status in RETRIABLE]
        old, tenant = self.some_task(data, is_owner, among=ended)
        content = ("retry", old)
        known = self.spec.by_key(tenant, key, content, self.now)
        expected = self.spec.retry(tenant, old, self.now)
        answer = self.ask(track_tasks, "POST", f"/predict/async/{old}/retry", tenant, key=key)
        if known is None and expected != 202:
            assert answer.status == expected
            return
        before = self.spec.tasks[old]
        made = Made(tenant, before.subject, before.priority, before.start_within, retry_of=old)
        self.accepted(answer, made, key, content)

    @rule(
        request=st.sampled_from(
            [
                (submit_prediction, "POST", "/predict/async/", {}, None, 422),
                (submit_prediction, "POST", "/predict/async/", {"match_id": "e0-2020-01-01-no-body"}, None, 404),
                (submit_prediction, "POST", "/predict/async/", {"features": {"form": 1}}, None, 422),
                (submit_prediction, "POST", "/predict/async/", {"match_id": "x", "start_within": 0}, None, 422),
                (submit_prediction, "POST", "/predict/async/", {"features": {}}, '"', 400),
                (track_tasks, "POST", f"/predict/async/{UNKNOWN}/retry", None, None, 404),
                (track_tasks, "POST", f"/predict/async/{UNKNOWN}/retry", None, "", 400),
                (track_tasks, "DELETE", f"/predict/async/{UNKNOWN}", None, None, 404),
                (track_tasks, "GET", f"/results/{UNKNOWN}", None, None, 404),
                (track_tasks, "GET", f"/monitoring/task_status/{UNKNOWN}", None, None, 404),
            ]
        )
    )
    def ask_in_vain(self, request: tuple[Any, str, str, Any, str | None, int]) -> None:
        handler, method, path, body, key, status = request
        answer = self.ask(handler, method, path, "north", body=body, key=key)
        assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")
        assert self.new_messages() == []

    # Requests about tasks.

    @precondition(lambda self: self.spec.tasks)
    @rule(data=st.data(), is_owner=IS_OWNER)
    def read(self, data: st.DataObject, is_owner: bool) -> None:
        task_id, tenant = self.some_task(data, is_owner)
        status = self.ask(track_tasks, "GET", f"/monitoring/task_status/{task_id}", tenant)
        result = self.ask(track_tasks, "GET", f"/results/{task_id}", tenant)

        assert status.status == self.spec.reading(tenant, task_id, self.now)
        assert result.status == self.spec.result(tenant, task_id, self.now)
        if status.status == 200:
            self.same(status.json)
        if result.status == 200:
            assert result.json == status.json["result"]
        if result.status == 202:
            assert result.headers["location"] == f"/monitoring/task_status/{task_id}"

    @precondition(lambda self: self.spec.tasks)
    @rule(data=st.data(), is_owner=IS_OWNER)
    def cancel(self, data: st.DataObject, is_owner: bool) -> None:
        task_id, tenant = self.some_task(data, is_owner)
        answer = self.ask(track_tasks, "DELETE", f"/predict/async/{task_id}", tenant)
        assert answer.status == self.spec.cancel(tenant, task_id, self.now)
        if answer.status == 200:
            self.same(answer.json)

    @rule(
        tenant=TENANTS,
        status=st.sampled_from([None, None, "queued", "succeeded", "failed", "cancelled", "expired"]),
        limit=st.sampled_from([1, 3, 100]),
    )
    def list_tasks(self, tenant: str, status: str | None, limit: int) -> None:
        found: list[str] = []
        cursor: str | None = None
        while True:
            query = {"limit": limit, "status": status, "cursor": cursor}
            query = {name: value for name, value in query.items() if value is not None}
            page = self.ask(track_tasks, "GET", "/predict/async/", tenant, query=query)
            assert page.status == 200
            for item in page.json["items"]:
                self.same(item)
                found.append(item["task_id"])
            cursor = page.json["next_cursor"]
            if cursor is None:
                break
        assert found == self.spec.listed(tenant, status, self.now)

    # What happens behind the API.

    @precondition(lambda self: self.lanes.sent)
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        """Deliver some messages, in any order, whether they were delivered before or not."""
        visible = [n for n, (_, _, delay) in enumerate(self.lanes.sent) if self.is_visible(n, delay)]
        if visible:
            self.work(data.draw(st.lists(st.sampled_from(visible), min_size=1, max_size=4)))

    @rule()
    def deliver_all(self) -> None:
        self.work([n for n, (_, _, delay) in enumerate(self.lanes.sent) if self.is_visible(n, delay)])

    @rule(seconds=PASSING)
    def pass_time(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        self.spec.settle(self.now)

    @rule()
    def break_or_mend_the_model(self) -> None:
        self.spec.is_model_broken = not self.spec.is_model_broken
        self.service.release.model.broken = self.spec.is_model_broken

    @precondition(lambda self: self.lanes.dead_letters)
    @rule()
    def redrive(self) -> None:
        for letter in list(self.lanes.dead_letters):
            task = decode(letter.body)
            is_again = self.spec.redrive(task.task_id, task.generation, self.now)
            assert self.service.redrive.redrive(letter) is (Redrive.REDRIVEN if is_again else Redrive.MOVED_ON)
            assert len(self.new_messages()) == is_again
        assert self.lanes.dead_letters == []


Requests.TestCase.settings = settings(
    max_examples=examples(60),
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestRequests = Requests.TestCase
