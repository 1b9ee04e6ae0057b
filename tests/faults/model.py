"""The real predictor over a small release, behind faults; and what a prediction is when nothing goes wrong."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from matchcast.domain.prediction import Prediction, Subject
from matchcast.domain.task import Task, TaskStatus
from matchcast.errors import (
    DeadlineExceeded,
    InferenceUnavailable,
    MatchcastError,
    MatchNotFound,
    ModelFailed,
    SnapshotUnavailable,
)
from matchcast.messages import decode, encode
from matchcast.predictions.predictor import Answer, Predictor
from matchcast.releases.served_models import ServedModels
from matchcast.snapshots.features import FeatureRows
from tests.faults.calls import Calls
from tests.faults.scheduler import Killed, Scheduler
from tests.support.releases import MATCHES, Release, parse

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from matchcast.messages import ModelInfo
    from matchcast.tasks.run import RunPredictions

WITHDRAWN = list(MATCHES)[-1]
"""A match that submission knows, and the workers' snapshot no longer has."""
CURSED: dict[str, Any] = {"elo_difference": 13.0, "form": 13.0}
"""Features for which the model fails until it is mended."""
INFERENCE_SECONDS = 60.0


@cache
def release() -> Release:
    """Return the release that every schedule of this process shares."""
    return Release()


@cache
def _parts() -> tuple[ServedModels, FeatureRows]:
    one = release()
    return ServedModels(one.models, one.objects, one.load), FeatureRows(one.snapshots, one.objects, parse)


def pure(task: Task) -> tuple[float, float, float]:
    """Return home, draw and away of a task's request, as the model gives them."""
    features = None if task.features is None else tuple(sorted(task.features.items()))
    return _pure(task.stage, task.match_id, features)


@cache
def _pure(stage: str, match_id: str | None, features: tuple[tuple[str, Any], ...] | None) -> tuple[float, float, float]:
    subject = Subject(match_id, None if features is None else dict(features))
    found = release().predictor().predict_one(stage, subject)
    return found.home, found.draw, found.away


@dataclass
class FaultyPredictor:
    """The real predictor, of which calls can fail; `is_mended` ends what fails again and again."""

    calls: Calls
    scheduler: Scheduler
    is_mended: bool = False
    made: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._real = Predictor(*_parts(), self.scheduler.utc_now)

    def predict(self, stage: str, subjects: Sequence[Subject]) -> list[Answer]:
        def answers() -> list[Answer]:
            real = self._real.predict(stage, subjects)
            return [self._bent(subject, answer) for subject, answer in zip(subjects, real, strict=True)]

        try:
            return self.calls("model", f"predict {len(subjects)}", answers, writes=False)
        except MatchcastError as error:
            if self.made % 2:
                raise
            # Only the snapshot is out of reach: the caller's own features need none.
            fault = SnapshotUnavailable(error.detail)
            pairs = zip(subjects, answers(), strict=True)
            return [fault if subject.features is None else answer for subject, answer in pairs]

    def _bent(self, subject: Subject, answer: Answer) -> Answer:
        if subject.match_id == WITHDRAWN:
            return MatchNotFound("It was withdrawn.")
        if subject.features == CURSED and not self.is_mended:
            return ModelFailed("It fails on these.")
        self.made += 1
        # No two computations are alike, so that another one's result is recognised.
        return answer.model_copy(update={"duration_ms": self.made}) if isinstance(answer, Prediction) else answer


class InvokedInference:
    """`Inference` by an invocation that goes on when its caller stops waiting."""

    def __init__(self, calls: Calls, scheduler: Scheduler, worker: Callable[[], RunPredictions]) -> None:
        self._calls = calls
        self._scheduler = scheduler
        self._worker = worker
        self.invocations = 0
        self.answered: dict[int, Task] = {}
        """Which task a prediction was the answer to, by the prediction's identity."""

    def run_task(self, task: Task, *, wait_until: datetime) -> Prediction:
        scheduler, caller = self._scheduler, self._scheduler.current
        assert caller is not None
        answers: list[Answer] = []
        message = encode(task)

        def invocation() -> None:
            try:
                with scheduler.process(INFERENCE_SECONDS):
                    answers.append(self._worker().run_task(decode(message)))
            except Killed:
                answers.append(InferenceUnavailable("killed"))
            except MatchcastError as error:
                answers.append(error)
            scheduler.wake(caller, scheduler.now)

        def invoke() -> None:
            self.invocations += 1
            scheduler.start(f"inference {self.invocations}", invocation)

        self._calls("model", "invoke the inference", invoke, writes=False)
        patience = scheduler.now + (wait_until - scheduler.utc_now()).total_seconds()
        while not answers and scheduler.now < patience:
            scheduler.idle_until(patience)
        if not answers:
            raise DeadlineExceeded("too late")
        if isinstance(answers[0], MatchcastError):
            raise answers[0]
        self.answered[id(answers[0])] = task
        return answers[0]

    def predict(self, stage: str, subject: Subject, deadline: datetime) -> Prediction:
        raise NotImplementedError

    def model_info(self, stage: str, deadline: datetime) -> ModelInfo:
        raise NotImplementedError


class InTurn(Executor):
    """An executor without threads: what would be written in parallel is written in some order."""

    def __init__(self, shuffle: Callable[[list[Any]], None]) -> None:
        self._shuffle = shuffle

    def map(self, fn: Callable[..., Any], *iterables: Any, **_: Any) -> Any:
        work = list(enumerate(zip(*iterables, strict=True)))
        self._shuffle(work)
        done = {number: fn(*arguments) for number, arguments in work}
        return iter([done[number] for number in sorted(done)])


CLIENTS_FAULTS = frozenset({"match-not-found", "stage-not-found", "invalid-request"})


def needs_letter(task: Task) -> bool:
    """Return whether a task failed by no fault of its client, so that operators find its message."""
    return task.status is TaskStatus.FAILED and task.error is not None and task.error.code not in CLIENTS_FAULTS
