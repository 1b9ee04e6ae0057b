"""Clients: they ask in every way, repeat themselves when no answer comes, read, cancel and try again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from matchcast.domain.prediction import Prediction, Subject
from matchcast.domain.task import Priority, Task
from matchcast.errors import Conflict, MatchcastError, TaskNotFound, TooManyTasks, Transient
from matchcast.tasks.accept import IdempotencyKey
from matchcast.tasks.submit import Submission
from tests.faults.model import CURSED, WITHDRAWN
from tests.faults.scheduler import Killed
from tests.faults.world import World
from tests.support.releases import MATCHES

API_SECONDS = 30.0
_DEADLINE_SECONDS = 28.0
_PASSING = (Transient, TooManyTasks)
_SOME_MATCHES = list(MATCHES)[:5]


@dataclass(frozen=True)
class Request:
    """One request that makes a task; repeating it means sending it again with the same key."""

    how: str
    key: str | None
    submission: Submission | None
    wait_seconds: float = 0.0
    retry_of: str | None = None

    @property
    def once(self) -> IdempotencyKey | None:
        """Return the key with the request's fingerprint."""
        content = repr((self.how, self.submission, self.retry_of))
        return None if self.key is None else IdempotencyKey(self.key, content)


class Client:
    """One user of a tenant; `known` are the tasks that all of them have heard of."""

    def __init__(self, world: World, name: str, tenant: str, known: list[str]) -> None:
        self._world = world
        self._rng = world.rng
        self._name = name
        self._tenant = tenant
        self._known = known
        self._made = 0
        self._repeatable: list[Request] = []

    def work(self) -> None:
        """Do a few things."""
        for _ in range(self._rng.randint(3, 9)):
            self._world.scheduler.pause(self._rng.expovariate(1 / 4))
            acts: list[Callable[[], None]] = [self._ask_for_one]
            if self._known:
                acts += [self._read, self._read, self._read, self._list, self._cancel, self._try_again]
            if self._repeatable:
                acts += [self._repeat]
            self._rng.choice(acts)()
            self._read()

    def insist(self, request: Request) -> None:
        """Send a request until it is answered, and perhaps once more although it is."""
        for _ in range(self._rng.randint(1, 4)):
            answer = self._send(request)
            if answer is None or isinstance(answer, _PASSING):
                self._world.scheduler.pause(self._rng.expovariate(1 / 3))
                if request.key is None and self._rng.random() < 0.5:
                    return
            elif self._rng.random() < 0.6:
                return

    def interfere(self, request: Request) -> None:
        """Send a request that another client is just sending, and perhaps cancel what it made."""
        self.insist(request)
        if self._known and self._rng.random() < 0.5:
            self._cancel()

    def _ask_for_one(self) -> None:
        self._make(self._rng.choice(("submit", "submit", "ask", "wait")), self._submission())

    def _try_again(self) -> None:
        self._make("retry", None, self._any())

    def _make(self, how: str, submission: Submission | None, retry_of: str | None = None) -> None:
        self._made += 1
        key = f"{self._name}-{self._made}" if self._rng.random() < 0.6 else None
        request = Request(how, key, submission, self._rng.choice((0, 1, 5, 28)), retry_of)
        if key is not None:
            self._repeatable.append(request)
        if key is not None and self._rng.random() < 0.4:
            twin = Client(self._world, f"{self._name}'", self._tenant, self._known)
            self._world.scheduler.start(twin._name, lambda: twin.interfere(request))
        self.insist(request)

    def _repeat(self) -> None:
        """Send a request once more that was answered long ago."""
        retries = [request for request in self._repeatable if request.how == "retry"]
        self.insist(self._rng.choice(retries or self._repeatable))

    def _submission(self) -> Submission:
        chance = self._rng.random()
        if chance < 0.5:
            subject = Subject(self._rng.choice(_SOME_MATCHES))
        elif chance < 0.7:
            subject = Subject(features={"elo_difference": float(self._rng.randint(1, 9)), "form": 1.5})
        elif chance < 0.95:
            subject = Subject(features=CURSED)
        else:
            subject = Subject(WITHDRAWN)
        within = self._rng.choice((1, 10, 40)) if self._rng.random() < 0.2 else None
        return Submission(subject, priority=self._rng.choice(list(Priority)), start_within=within)

    def _send(self, request: Request) -> object:
        world, submission, began = self._world, request.submission, self._now()
        if submission is None:
            answer = self._request(lambda: world.retry.retry(self._tenant, str(request.retry_of), request.once))
        elif request.how == "submit":
            answer = self._request(lambda: world.submit.submit(self._tenant, submission, request.once)[0])
        else:
            answer = self._predict(request, submission)
        if isinstance(answer, Task):
            world.witness.accepted(answer, request.key, self._now())
            if answer.task_id not in self._known:
                self._known.append(answer.task_id)
        elif isinstance(answer, MatchcastError) and not isinstance(answer, _PASSING) and request.how != "wait":
            world.witness.refused(self._tenant, request.key, answer, began)
        return answer

    def _predict(self, request: Request, submission: Submission) -> object:
        """Ask on demand: for a task at once, or after a wait."""
        world, now = self._world, self._now()

        def predict_or_submit() -> Prediction | Task:
            return world.predict_now.predict_or_submit(
                self._tenant,
                submission.stage,
                submission.subject,
                wait=timedelta(seconds=request.wait_seconds) if request.how == "wait" else None,
                deadline=now + timedelta(seconds=_DEADLINE_SECONDS),
                key=request.once,
            )

        answer = self._request(predict_or_submit)
        if isinstance(answer, Prediction):
            world.witness.waited(world.inference.answered[id(answer)], answer)
        return answer

    def _read(self) -> None:
        if not self._known:
            return
        task_id, began = self._any(), self._now()
        answer = self._request(lambda: self._world.track.status(self._tenant, task_id))
        if isinstance(answer, Task):
            self._world.witness.saw(answer, began, self._now())
        elif isinstance(answer, TaskNotFound):
            self._world.witness.missed(task_id)

    def _list(self) -> None:
        began = self._now()
        page = self._request(lambda: self._world.track.list(self._tenant, limit=self._rng.choice((1, 50))))
        for task in getattr(page, "tasks", []):
            self._world.witness.saw(task, began, self._now())

    def _cancel(self) -> None:
        task_id, began = self._any(), self._now()
        answer = self._request(lambda: self._world.track.cancel(self._tenant, task_id))
        if isinstance(answer, Task):
            self._world.witness.saw(answer, began, self._now())
        elif isinstance(answer, Conflict) and "is queued" in answer.detail:
            self._world.witness.findings.illegal.append(f"a queued task was not cancelled: {answer.detail}")

    def _now(self) -> datetime:
        return self._world.scheduler.true_time()

    def _any(self) -> str:
        """Return one of the known tasks, rather a recent one, about which the most happens."""
        return self._known[-1] if self._rng.random() < 0.5 else self._rng.choice(self._known)

    def _request(self, call: Callable[[], object]) -> object:
        """Return what one HTTP request is answered with: an object, an error, or None where no answer comes."""
        try:
            with self._world.scheduler.process(API_SECONDS):
                answer = call()
        except Killed:
            return None
        except MatchcastError as error:
            return error
        # Some answers get lost on their way.
        return None if self._rng.random() < self._world.calls.weather.answer_lost else answer
