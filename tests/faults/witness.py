"""What clients were answered, and whether all of it holds, then and in the end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.faults.bucket import is_answered
from tests.faults.closing import check_result
from tests.faults.findings import CLOCKS_DIFFER, Findings, moment, short
from tests.faults.ledger import Ledger, time_of
from tests.support.http_events import Answer

if TYPE_CHECKING:
    from tests.faults.requests import Request
    from tests.faults.world import World

Seen = dict[str, Any]
"""A task as clients see it."""
_LATE = ("storage-unavailable", "queue-unavailable", "deadline-exceeded", "snapshot-unavailable", "model-unavailable")
_INDEX_IS_READY = timedelta(seconds=5)
_LIMIT_IS_KNOWN = timedelta(seconds=15)


@dataclass(frozen=True)
class Held:
    """What a key stands for: the request, its task, and until when."""

    content: Any
    task_id: str
    answered_at: datetime
    expires_at: datetime


class Witness:
    """Remembers answers, and compares later ones with them."""

    def __init__(self, world: World) -> None:
        self.findings = Findings()
        self.ledger = Ledger(world, self.findings)
        self.promised: dict[str, tuple[str, Seen]] = {}
        """Tasks that a client saw a 202 of, with their tenants."""
        self._promised_at: dict[str, datetime] = {}
        self.poison: set[str] = set()
        self._world = world
        self._final: dict[str, tuple[datetime, Seen]] = {}
        self._by_key: dict[tuple[str, str], list[Held]] = defaultdict(list)
        self._claims: dict[tuple[str, str], dict[str, datetime]] = defaultdict(dict)
        self.waited: list[tuple[Request, Seen]] = []

    # Answers to requests that make tasks.

    def accepted(self, request: Request, task: Seen, began: datetime) -> None:
        """Take in the task of a 202, which has to be the one that its key stands for."""
        now, task_id, created_at = self._now(), task["task_id"], moment(task["created_at"])
        is_new = task_id not in self.promised
        self.promised.setdefault(task_id, (request.tenant, task))
        self._promised_at.setdefault(task_id, now)
        if is_new and created_at + CLOCKS_DIFFER >= began:
            self._check_limit(request.tenant, task_id, began)
        if request.key is None:
            return
        mine = Held(request.content, task_id, now, created_at + self._world.lifetime)
        held = self._by_key[request.tenant, request.key]
        for other in held:
            if other.task_id != task_id and min(other.expires_at, mine.expires_at) > max(
                moment(self.promised[each][1]["created_at"]) for each in (other.task_id, task_id)
            ):
                ids = f"{short(other.task_id)} and {short(task_id)}"
                self.findings.changed.append(f"the key {request.key} stands for {ids}")
            if other.task_id == task_id and other.content != request.content:
                self.findings.changed.append(f"the key {request.key} stands for two requests")
        if mine.expires_at + CLOCKS_DIFFER < began:
            self.findings.changed.append(f"the key {request.key} still stands for {short(task_id)}, which has expired")
        held.append(mine)

    @contextmanager
    def sending(self, request: Request) -> Iterator[None]:
        """Note that a request may claim its key from now until its end."""
        claims = self._claims[request.tenant, str(request.key)]
        claims[request.content] = datetime.max.replace(tzinfo=UTC)
        try:
            yield
        finally:
            claims[request.content] = self._now()

    def refused(self, request: Request, answer: Answer, began: datetime) -> None:
        """Take in a refusal, which needs a cause."""
        held = self._by_key.get((request.tenant, str(request.key)), [])
        valid = [each for each in held if each.answered_at < began < each.expires_at - CLOCKS_DIFFER]
        same = [each for each in valid if each.content == request.content]
        if same and answer.status not in (429, 503, 504):
            why = f"the key {request.key} stood for {short(same[-1].task_id)}, then: {answer.status}"
            self.findings.changed.append(why)
        claims = self._claims[request.tenant, str(request.key)].items()
        last = max((ended for content, ended in claims if content != request.content), default=None)
        if answer.status == 422 and (last is None or began - self._world.lifetime - CLOCKS_DIFFER > last):
            self.findings.needless.append(f"422 for {request.how}: {answer.json['detail']}")
        if answer.status == 429 and not self._open(request.tenant, began - _LIMIT_IS_KNOWN):
            self.findings.needless.append(f"429 for {request.tenant}, which has no open task")

    def _check_limit(self, tenant: str, task_id: str, began: datetime) -> None:
        """Find a task that was accepted although the tenant's newest tasks have all been open for long."""
        mine = [item for item in self._world.table.items("task#") if item["tenant"]["S"] == tenant]
        settled = [item for item in mine if time_of(item, "created_at") < began - _LIMIT_IS_KNOWN]
        newest = sorted((item["task_id"]["S"] for item in settled), reverse=True)[: self._world.plot.most_open]
        now = self._now() + CLOCKS_DIFFER
        open_now = {i["task_id"]["S"] for i in mine if i["status"]["S"] == "queued" and time_of(i, "start_by") > now}
        newer = [item for item in mine if item["task_id"]["S"] != task_id and item not in settled]
        if (
            len(newest) == self._world.plot.most_open
            and open_now.issuperset(newest)
            and not newer
            and self._world.is_quiet(began)
        ):
            self.findings.illegal.append(f"{short(task_id)} was accepted over {len(newest)} open tasks")

    def _open(self, tenant: str, since: datetime) -> list[Any]:
        """Return the records that are open, or were at some time since then."""
        return [
            item
            for item in self._world.table.items("task#")
            if item["tenant"]["S"] == tenant
            and (item["status"]["S"] == "queued" or time_of(item, "completed_at") > since)
            and time_of(item, "start_by") > since
        ]

    # Answers about tasks.

    def saw(self, task: Seen, began: datetime) -> None:
        """Compare what a reader saw of a task with what others had seen before its request began."""
        now = self._now()
        if moment(task["expires_at"]) + CLOCKS_DIFFER < began:
            self.findings.changed.append(f"{short(task['task_id'])} is readable after its lifetime")
        due = task["start_by"] if task["status"] == "queued" else None
        if due is not None and moment(due) + CLOCKS_DIFFER < began:
            self.findings.changed.append(f"{short(task['task_id'])} is queued after its time to start")
        task = {**task, "attempts": 0}  # a client that cancels a task has read its attempts before
        seen_at, before = self._final.get(task["task_id"], (now, task))
        if seen_at < began and task != before:
            redriven = before["status"] == "failed" and task["generation"] > before["generation"]
            if not redriven:
                what = f"{before['status']} g{before['generation']} became {task['status']} g{task['generation']}"
                self.findings.changed.append(f"{short(task['task_id'])}: {what}")
        if task["status"] != "queued" and task["generation"] >= before["generation"]:
            self._final[task["task_id"]] = now, task

    def missed(self, task_id: str, status: int) -> None:
        """Take in a 404 or a 410 for a task."""
        if task_id not in self.promised:
            return
        ends = self._end(task_id)
        if self._now() + CLOCKS_DIFFER < (ends if status == 410 else ends + timedelta(days=7)):
            self.findings.lost.append(f"{short(task_id)} is answered with {status} after its 202")

    def listed(self, tenant: str, pages: Sequence[Sequence[Seen]], began: datetime, status: str | None = None) -> None:
        """Compare a list that was walked to its end with the tasks that it has to show."""
        ids = [task["task_id"] for page in pages for task in page]
        if ids != sorted(set(ids), reverse=True):
            self.findings.changed.append(f"a list of {tenant} shows tasks twice, or in no order")
        for task_id, (owner, _) in self.promised.items():
            is_due = (
                self._promised_at[task_id] < began - _INDEX_IS_READY
                and self._end(task_id) > self._now() + CLOCKS_DIFFER
            )
            final = self._final.get(task_id)
            fits = status is None or (
                final is not None and final[0] < began and final[1]["status"] == status != "failed"
            )
            if owner == tenant and is_due and fits and task_id not in ids:
                self.findings.lost.append(f"{short(task_id)} is missing from a list")
        for page in pages:
            for task in page:
                if status is None:
                    self.saw(task, began)
                if (
                    self.promised.get(task["task_id"], (tenant,))[0] != tenant
                    or (status or task["status"]) != task["status"]
                ):
                    self.findings.changed.append(f"{short(task['task_id'])} does not belong into a list of {tenant}")

    def endless(self, tenant: str, pages: int) -> None:
        """Take in a list that had no end."""
        self.findings.changed.append(f"a list of {tenant} has no end after {pages} pages")

    def predicted(self, request: Request, prediction: Seen, began: datetime) -> None:
        """Check a prediction that was answered at once."""
        check_result(
            self._world,
            self.findings,
            f"the answer to {request.how}",
            {**prediction, "asked_at": began},
            request.subject,
        )
        if request.makes_a_task:
            self.waited.append((request, prediction))

    def failed(self, request: Request, answer: Answer, began: datetime) -> None:
        """Take in a 5xx, which needs a fault."""
        code = str(answer.json["type"]).rsplit(":", 1)[-1]
        is_models = code == "model-failed" and not is_answered(request.subject)
        is_defect = code == "internal-error" and not self._world.was_denied(began)
        is_late = code in _LATE and self._world.was_slow(began)
        if is_defect or (self._world.is_quiet(began) and not is_models and not is_late):
            what = f"{request.method} {request.path}"
            self.findings.needless.append(f"{answer.status} for {what}: {answer.json['detail']}")

    def _end(self, task_id: str) -> datetime:
        """Return when a task stops being readable; a redrive prolongs it."""
        ends = [time_of(i, "expires_at") for i in self._world.table.items(f"task#{task_id}")]
        return max([moment(self.promised[task_id][1]["expires_at"]), *ends])

    def _now(self) -> datetime:
        return self._world.scheduler.true_time()
