"""What clients were answered, and whether all of it holds in the end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from matchcast.domain.prediction import Prediction
from matchcast.domain.task import Task, TaskStatus
from matchcast.errors import TaskGone, TaskNotFound
from matchcast.messages import decode
from matchcast.tasks.track import TrackTasks
from tests.faults.model import needs_letter, pure
from tests.faults.queues import Message
from tests.faults.table import short

_CLOSE = 1e-6
CLOCKS_DIFFER = timedelta(seconds=2)
"""By how much the clocks of two actors may differ at most."""


@dataclass
class Findings:
    """What a schedule should never show, in words, by kind."""

    lost: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    illegal: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.lost or self.changed or self.illegal or self.stuck)

    def lines(self) -> list[str]:
        """Return every finding as a line."""
        kinds = {"lost": self.lost, "changed": self.changed, "illegal": self.illegal, "stuck": self.stuck}
        return [f"{kind}: {finding}" for kind, findings in kinds.items() for finding in findings]


class Witness:
    """Remembers answers, and compares later ones with them."""

    def __init__(self) -> None:
        self.findings = Findings()
        self.promised: dict[str, Task] = {}
        """Tasks that a client saw a 202 of."""
        self.poison: set[str] = set()
        self._final: dict[str, tuple[datetime, Task]] = {}
        self._by_key: dict[tuple[str, str], list[tuple[datetime, Task]]] = defaultdict(list)
        self._waited: list[tuple[Task, Prediction]] = []

    def accepted(self, task: Task, key: str | None, now: datetime) -> None:
        """Take in the task of a 202, which has to be the one that its key stands for."""
        self.promised.setdefault(task.task_id, task)
        if key is None:
            return
        answered = self._by_key[task.tenant, key]
        if any(each.task_id != task.task_id and each.expires_at > task.created_at for _, each in answered):
            ids = " and ".join(short(each.task_id) for each in [*(each for _, each in answered), task])
            self.findings.changed.append(f"the key {key} stands for {ids}")
        answered.append((now, task))

    def refused(self, tenant: str, key: str | None, why: Exception, began: datetime) -> None:
        """Take in a final refusal of a request, whose key must not have stood for a task when it began."""
        for answered_at, task in self._by_key.get((tenant, key), []) if key else []:
            if answered_at < began < task.expires_at - CLOCKS_DIFFER:
                self.findings.changed.append(f"the key {key} stood for {short(task.task_id)}, then: {why}")

    def waited(self, task: Task, prediction: Prediction) -> None:
        """Take in a prediction that a waiting client got instead of its task."""
        self._waited.append((task, prediction))

    def saw(self, task: Task, began: datetime, now: datetime) -> None:
        """Compare what a reader saw of a task with what others had seen before its request began."""
        # A client that cancels a task has read its attempts before.
        task = task.model_copy(update={"attempts": 0})
        seen_at, before = self._final.get(task.task_id, (now, task))
        if seen_at < began and task != before:
            redriven = before.status is TaskStatus.FAILED and task.generation > before.generation
            if not redriven:
                what = f"{before.status} g{before.generation} became {task.status} g{task.generation}"
                self.findings.changed.append(f"{short(task.task_id)}: {what}")
        if task.status.is_final and task.generation >= before.generation:
            self._final[task.task_id] = now, task

    def missed(self, task_id: str) -> None:
        """Take in a 404 for a task."""
        if task_id in self.promised:
            self.findings.lost.append(f"{short(task_id)} is not found after its 202")

    def close(self, records: dict[str, Task], track: TrackTasks, dead: Iterable[Message], now: datetime) -> Findings:
        """Look at everything once more, after all has settled."""
        for task_id, task in self.promised.items():
            self._look(task_id, task, track, now)
        letters, bodies = set(), set()
        for message in dead:
            bodies.add(message.body)
            if message.body not in self.poison:
                task = decode(message.body)
                letters.add((task.task_id, task.generation))
        for record in records.values():
            self._check(record, (record.task_id, record.generation) in letters, now)
        self.findings.lost += [f"poison {body!r} is no dead letter" for body in sorted(self.poison - bodies)]
        for task, prediction in self._waited:
            kept = records.get(task.task_id)
            if kept is None or kept.result != prediction:
                what = "nothing" if kept is None else f"{kept.status} g{kept.generation}"
                self.findings.changed.append(f"{short(task.task_id)} was answered with a prediction, and is {what}")
        return self.findings

    def _look(self, task_id: str, task: Task, track: TrackTasks, now: datetime) -> None:
        try:
            self.saw(track.status(task.tenant, task_id), now, now)
        except TaskNotFound:
            self.missed(task_id)
        except TaskGone:
            pass

    def _check(self, record: Task, has_letter: bool, now: datetime) -> None:
        name = short(record.task_id)
        is_open = record.status_at(now) is TaskStatus.QUEUED and record.is_readable_at(now)
        if is_open:
            self.findings.stuck.append(f"{name} is queued in generation {record.generation}, and nothing will end it")
        if needs_letter(record) and not has_letter:
            error = record.error.code if record.error else ""
            self.findings.lost.append(f"the dead letter of {name} g{record.generation} ({error})")
        if record.status is TaskStatus.SUCCEEDED:
            result, expected = record.result, pure(record)
            got = (result.home, result.draw, result.away) if result else (0.0, 0.0, 0.0)
            if any(abs(one - other) > _CLOSE for one, other in zip(got, expected, strict=True)):
                self.findings.changed.append(f"{name} has another result than its model gives")
