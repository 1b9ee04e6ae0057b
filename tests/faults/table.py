"""The simulated table: the in-memory adapters behind faults, with every write checked against the lifecycle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from matchcast.adapters.in_memory import InMemoryKeys, InMemoryTasks
from matchcast.domain.task import CREATE, FINISH, REOPEN, IdPage, Task, WriteRule
from matchcast.ports import KeyRecord
from tests.faults.calls import Calls

T = TypeVar("T")
_NEVER_CHANGES = ("tenant", "match_id", "features", "stage", "priority", "created_at", "retry_of")


def short(task_id: str) -> str:
    """Return an id as traces show it."""
    return f"..{task_id[-4:]}"


class SimulatedTasks:
    """A `TaskStore` and its `TaskIndex`; `illegal` holds what no write may do."""

    def __init__(self, calls: Calls) -> None:
        self.records = InMemoryTasks()
        self.illegal: list[str] = []
        self._calls = calls

    def get_many(self, task_ids: Sequence[str]) -> Mapping[str, Task]:
        name = f"read {' '.join(map(short, task_ids))}"
        return self._calls("table", name, lambda: self.records.get_many(task_ids), writes=False)

    def create(self, task: Task) -> bool:
        return self._write("create", CREATE, task, self.records.create)

    def finish(self, task: Task) -> bool:
        return self._write(f"finish as {task.status}", FINISH, task, self.records.finish)

    def record_attempt(self, task: Task) -> int | None:
        return self._write("count an attempt of", FINISH, task, self.records.record_attempt)

    def reopen(self, task: Task) -> bool:
        return self._write("reopen", REOPEN, task, self.records.reopen)

    def count_open(self, tenant: str, now: datetime, most: int) -> int:
        return self._calls("table", "count", lambda: self.records.count_open(tenant, now, most), writes=False)

    def list_ids(self, tenant: str, before: str | None, limit: int, match_id: str | None = None) -> IdPage:
        return self._calls(
            "table", "list", lambda: self.records.list_ids(tenant, before, limit, match_id), writes=False
        )

    def all(self) -> dict[str, Task]:
        """Return every record."""
        return dict(self.records._tasks)

    def _write(self, name: str, rule: WriteRule, task: Task, method: Callable[[Task], T]) -> T:
        def checked() -> T:
            before = self.all().get(task.task_id)
            answer = method(task)
            self._check(rule, before, self.all().get(task.task_id))
            return answer

        return self._calls("table", f"{name} {short(task.task_id)} g{task.generation}", checked)

    def _check(self, rule: WriteRule, before: Task | None, after: Task | None) -> None:
        if after is None or before is after or before == after:
            return
        if before is None:
            if after.generation != 0:
                self.illegal.append(f"{short(after.task_id)} began in generation {after.generation}")
            return
        what = f"{short(after.task_id)} {before.status} g{before.generation} -> {after.status} g{after.generation}"
        if not rule.allows(before, after) or (after.status.is_final and rule is not FINISH):
            self.illegal.append(f"{what}: an illegal write")
        elif any(getattr(before, name) != getattr(after, name) for name in _NEVER_CHANGES):
            self.illegal.append(f"{what}: another request")


class SimulatedKeys:
    """`IdempotencyKeys` behind faults."""

    def __init__(self, calls: Calls) -> None:
        self.records = InMemoryKeys()
        self._calls = calls

    def find(self, tenant: str, key: str, now: datetime) -> KeyRecord | None:
        return self._calls("table", f"find {key}", lambda: self.records.find(tenant, key, now), writes=False)

    def claim(self, tenant: str, key: str, record: KeyRecord, expires_at: datetime) -> bool:
        name = f"claim {key} for {short(record.task_id)}"
        return self._calls("table", name, lambda: self.records.claim(tenant, key, record, expires_at))
