"""How requests through the real handlers are made, and compared with the specification."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine

from functions.predict_now.handler import lambda_handler as predict_now
from matchcast.messages import decode
from tests.faults.handlers import Service
from tests.faults.specification import LIFETIME, Known, Specification
from tests.support.http_events import Answer, ask
from tests.support.tasks import NOW

SCOPES = "predictions/read predictions/write"


@dataclass(frozen=True)
class Made:
    """What a request that makes a task asks for."""

    tenant: str
    subject: dict[str, Any]
    priority: str
    start_within: int | None = None
    retry_of: str | None = None

    def task(self, task_id: str, now: datetime) -> Known:
        """Return the task that it makes."""
        start_by = None if self.start_within is None else now + timedelta(seconds=self.start_within)
        return Known(task_id, self.tenant, self.subject, self.priority, now, start_by, now + LIFETIME, self.retry_of)


class Comparison(RuleBasedStateMachine):
    """A state machine without rules: the service, the specification, and how rules ask and compare."""

    def __init__(self) -> None:
        super().__init__()
        self.now: datetime = NOW
        self.spec = Specification()
        self.service = Service(lambda: self.now)
        self.lanes = self.service.lanes
        self.sent_at: list[datetime] = []

    def teardown(self) -> None:
        self.service.close()

    def work(self, numbers: list[int]) -> None:
        """Have the worker receive messages by their numbers."""
        buried = {letter.body for letter in self.lanes.dead_letters}
        for number in numbers:
            _, body, _ = self.lanes.sent[number]
            message = decode(body)
            if self.spec.deliver(message.task_id, message.generation, self.now):
                buried.add(body)
        assert self.service.deliver(numbers) == {"batchItemFailures": []}
        assert {letter.body for letter in self.lanes.dead_letters} == buried

    def is_visible(self, number: int, delay: int) -> bool:
        return self.sent_at[number] + timedelta(seconds=delay) <= self.now

    def ask(self, handler: Any, method: str, path: str, tenant: str, **request: Any) -> Answer:
        key, headers = request.pop("key", None), request.pop("headers", {})
        return ask(
            handler,
            method,
            path,
            headers=headers if key is None else {**headers, "Idempotency-Key": key},
            claims={"client_id": tenant, "scope": SCOPES},
            time_epoch=int(self.now.timestamp() * 1000),
            **request,
        )

    def prefer(self, prefer: str, tenant: str, subject: dict[str, Any], key: str | None) -> tuple[Answer, str | None]:
        """Ask on demand; a GET takes no key."""
        headers = {"Prefer": prefer}
        if "features" in subject:
            return self.ask(predict_now, "POST", "/predict/", tenant, body=subject, key=key, headers=headers), key
        return self.ask(predict_now, "GET", f"/predict/{subject['match_id']}", tenant, headers=headers), None

    def accepted(
        self,
        answer: Answer,
        made: Made,
        key: str | None,
        content: Any,
    ) -> None:
        """Compare the answer to a request that makes a task, unless its key stands for one already."""
        known = self.spec.by_key(made.tenant, key, content, self.now)
        if known == 422:
            assert (answer.status, self.new_messages()) == (422, [])
            assert [error["header"] for error in answer.json["errors"]] == ["Idempotency-Key"]
            return
        assert answer.status == 202, answer
        task_id = answer.json["task_id"]
        assert answer.headers["location"] == f"/monitoring/task_status/{task_id}"
        assert int(answer.headers["retry-after"]) >= 1
        messages = self.new_messages()
        if isinstance(known, Known):
            assert (task_id, messages) == (known.task_id, [])
        else:
            self.spec.add(made.task(task_id, self.now), key, content)
            assert [decode(message).task_id for message in messages] == [task_id]
        self.same(answer.json, after_acceptance=True)

    def waited_again(self, answer: Answer, made: Made, key: str | None, content: Any) -> None:
        """Compare the answer to a repeated request that waits: it waits for the task of the first one."""
        known = self.spec.by_key(made.tenant, key, content, self.now)
        if not isinstance(known, Known) or known.status not in {"queued", "succeeded"}:
            self.accepted(answer, made, key, content)
            return
        assert self.new_messages() == []
        if known.status == "queued" and self.spec.is_model_broken:
            assert (answer.status, answer.json["task_id"]) == (202, known.task_id)
            return
        assert answer.status == 200
        known.status, known.result = "succeeded", known.result or answer.json
        assert answer.json == known.result

    def same(self, item: dict[str, Any], *, after_acceptance: bool = False) -> None:
        """Compare a task envelope with the specification; its result has to be the one that was seen first."""
        task = self.spec.tasks[item["task_id"]]
        if after_acceptance and item["status"] == "queued" and task.status == "expired":
            # A 202 repeats the record, whose expiry only readers derive.
            task = Known(**{**vars(task), "status": "queued"})
        assert (item["status"], item["generation"], item["priority"]) == (task.status, task.generation, task.priority)
        assert (item["match_id"], item["retry_of"]) == (task.subject.get("match_id"), task.retry_of)
        assert (item["error"] or {}).get("code") == task.error
        assert (item["result"] is not None) == (task.status == "succeeded")
        assert (item["completed_at"] is None) == (task.status == "queued")
        assert (item["start_by"] is None, item["expires_at"]) == (task.start_by is None, rfc3339(task.expires_at))
        if item["result"] is not None:
            task.result = task.result or item["result"]
            assert item["result"] == task.result

    def some_task(self, data: st.DataObject, is_owner: bool, among: Sequence[str] = ()) -> tuple[str, str]:
        """Return one of the newest tasks (of some, where there are any), and its tenant or another one."""
        # By its place: ids are drawn at random.
        ids = list(among or self.spec.tasks)
        number = data.draw(st.integers(1, min(5, len(ids))), label="task, from the newest")
        task = self.spec.tasks[ids[-number]]
        return task.task_id, task.tenant if is_owner else "east"

    def new_messages(self) -> list[str]:
        """Return the messages that were sent since the last look."""
        bodies = [body for _, body, _ in self.lanes.sent[len(self.sent_at) :]]
        self.sent_at += [self.now] * len(bodies)
        return bodies


def rfc3339(moment: datetime) -> str:
    """Return a time as the API writes it."""
    text = moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds")
    return text.replace("+00:00", "Z")
