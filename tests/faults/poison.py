"""Messages that no client of the API can cause: unreadable ones, and ones that can be read and that nobody can serve.

Each of the second kind has its right end: what is wrong with the request itself fails the task without a letter, what
the service cannot serve is buried with its cause, and what is only strange is served.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from matchcast.domain.task import Priority, Task, new_task_id
from matchcast.errors import InvalidMessage
from matchcast.messages import decode, encode
from tests.faults.bucket import MATCHES, UNFIT
from tests.faults.findings import short
from tests.faults.queues import LANES, Message

if TYPE_CHECKING:
    from tests.faults.world import World

_UNREADABLE = (
    "no json at all, {}",
    '{{"version":99,"task_id":"{}"}}',
    '{{"version":1,"task_id":"{}"}}',
    "[{}]",
    '{{"version":1,"task_id":"{}","tenant":"north","created_at":"now","expires_at":7}}',
)
_GOOD, _TENANT = next(iter(MATCHES)), "nobody"
_HUGE = {"elo_difference": 3e38, "form": 1.5}


@dataclass(frozen=True)
class Kind:
    """What a message says other than a good one, and how its task has to end."""

    changes: dict[str, Any]
    status: str = "failed"
    code: str | None = None
    is_buried: bool = False
    is_late: bool = False


_KINDS = (
    Kind({"stage": "nowhere"}, code="stage-not-found"),
    Kind({"stage": "nowhere", "match_id": None, "features": _HUGE}, code="stage-not-found"),
    Kind({"match_id": "no such match"}, code="match-not-found"),
    Kind({"stage": UNFIT}, code="release-unfit", is_buried=True),
    Kind({"match_id": None, "features": {"elo_difference": "much", "weather": 1}}, code="invalid-request"),
    Kind({"match_id": None, "features": {}}, code="invalid-request"),
    Kind({"match_id": None, "features": _HUGE}, code="invalid-request"),
    Kind({}, status="expired", is_late=True),
    Kind({}, status="succeeded"),
    Kind({"priority": Priority.HIGH}, status="succeeded"),
    Kind({"generation": 3}, status="succeeded"),
    Kind({"callback_url": "https://example.org/", "batch_id": "b-1", "retry_of": "nothing"}, status="succeeded"),
)


class Poison:
    """Sends such messages, and knows how each has to end."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._rng = world.rng
        self.sent: dict[str, tuple[Task, Kind]] = {}
        """What can be read of it, by its task."""

    def send(self) -> None:
        """Send some, into any lane."""
        for number in range(self._rng.randint(1, self._world.plot.most_poison)):
            self._world.scheduler.pause(self._rng.uniform(0, 30))
            self._rng.choice((self._unreadable, self._unservable, self._unservable, self._foreign))(number)

    def is_right(self, item: Any, code: str) -> bool:
        """Return whether a task fails with the code with which it has to fail."""
        sent = self.sent.get(item["task_id"]["S"])
        return sent is not None and sent[1].code == code

    def close(self, letters: Sequence[Message]) -> None:
        """Add what did not end as it has to to the findings."""
        records = {item["task_id"]["S"]: item for item in self._world.table.items("task#")}
        causes = {named: letter.cause for letter in letters if (named := _name(letter)) is not None and letter.cause}
        for task_id, (task, kind) in self.sent.items():
            named, item = (task_id, task.generation), records.get(task_id)
            if named in self._world.witness.ledger.discarded:
                continue
            if item is None:
                self._world.witness.findings.lost.append(f"{short(task_id)}, {kind}, has no record")
            elif int(item["generation"]["N"]) == task.generation:
                self._check(named, kind, item["status"]["S"], causes.get(named))

    def _check(self, named: tuple[str, int], kind: Kind, status: str, cause: str | None) -> None:
        findings = self._world.witness.findings
        # Faults of the service can fail any of them; the ledger has judged these.
        if status not in (kind.status, "failed"):
            findings.illegal.append(f"{short(named[0])} {status}, and not as {kind}")
        if cause is not None and cause == kind.code and not kind.is_buried:
            findings.needless.append(f"{short(named[0])} is buried, by the fault of its request: {kind}")

    def _unreadable(self, number: int) -> None:
        body = self._rng.choice(_UNREADABLE).format(number)
        if self._rng.random() < 0.3:
            body = encode(self._a_task({})).replace('"normal"', '"urgent"')
        self._world.witness.poison.add(body)
        self._put(body)

    def _unservable(self, _: int) -> None:
        kind = self._rng.choice(_KINDS)
        task = self._a_task(kind.changes)
        if kind.is_late:
            field, late = self._rng.choice((("start_by", 10), ("expires_at", 10), ("expires_at", 86_400)))
            task = task.model_copy(update={field: task.created_at - timedelta(seconds=late)})
        self.sent[task.task_id] = task, kind
        self._world.calls.note(f"{short(task.task_id)} is {kind}")
        self._put(encode(task))

    def _foreign(self, number: int) -> None:
        """Send a message of a client's task that is generations ahead of its record: it has no effect."""
        if not self._world.witness.promised:
            self._unservable(number)
            return
        task_id, (tenant, _) = self._rng.choice(list(self._world.witness.promised.items()))
        stage = self._rng.choice(("champion", "nowhere", UNFIT))
        changes = {"task_id": task_id, "tenant": tenant, "stage": stage, "generation": 5}
        self._put(encode(self._a_task(changes)))

    def _a_task(self, changes: dict[str, Any]) -> Task:
        now = self._world.scheduler.true_time()
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        new = {"task_id": new_task_id(now), "tenant": _TENANT, "match_id": _GOOD, "created_at": now}
        return Task.model_validate({**new, "expires_at": now + timedelta(days=1), **changes})

    def _put(self, body: str) -> None:
        queues = self._world.queues
        queues.put(queues.queues[self._rng.choice(LANES)], body)


def _name(letter: Message) -> tuple[str, int] | None:
    try:
        task = decode(letter.body)
    except InvalidMessage:
        return None
    return task.task_id, task.generation
