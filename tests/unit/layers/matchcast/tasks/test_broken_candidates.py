"""A broken candidate, in the same receive and the same environment: the champion goes on at its usual speed."""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from matchcast.adapters.in_memory import InMemoryLanes, InMemoryTasks
from matchcast.domain.task import Task, TaskStatus
from matchcast.errors import MatchcastError, ReleaseUnfit, Transient
from matchcast.tasks.circuit_breaker import CircuitBreaker, stage_cause
from matchcast.tasks.run import RunPredictions
from matchcast.tasks.settle import Outcome
from matchcast.tasks.stage_calls import SideBySide
from tests.support.broken_candidates import KINDS, WithCandidate
from tests.support.releases import MATCHES
from tests.support.tasks import NOW, a_delivery, a_task

MATCH = next(iter(MATCHES))
RECEIVES, IN_EACH = 8, 10
PATIENCE_SECONDS = 3.0
"""How long a receive waits for a stage here; a busy machine serves the champion sooner than that by far."""
FAILED_FOR = {
    "missing columns": "release-unfit",
    "NaN": "model-failed",
    "two columns": "model-failed",
    "a row too few": "model-failed",
    "raising": "model-failed",
}
"""Why the candidate's tasks fail; those of the others wait until the candidate can be served."""


class TimedTasks(InMemoryTasks):
    """A table that notes when each task ended."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: dict[str, float] = {}

    def finish(self, task: Task) -> bool:
        self.ended[task.task_id] = time.monotonic()
        return super().finish(task)


@dataclass
class Environment:
    """One environment of the worker, over many receives."""

    kind: str | None
    tasks: TimedTasks = field(default_factory=TimedTasks)
    lanes: InMemoryLanes = field(default_factory=InMemoryLanes)
    breaker: CircuitBreaker = field(default_factory=CircuitBreaker)

    def __post_init__(self) -> None:
        self.release = WithCandidate(kind=self.kind)
        self.predictor = self.release.predictor()
        self.run = RunPredictions(
            predictor=self.predictor,
            tasks=self.tasks,
            lanes=self.lanes,
            threads=ThreadPoolExecutor(4),
            breaker=self.breaker,
            now=lambda: NOW,
            max_attempts=3,
            stage_calls=SideBySide(),
        )

    def receive(self, tasks: list[Task]) -> tuple[list[Outcome], float]:
        """Return the outcomes of a receive, and the seconds until the last of the champion's tasks had ended."""
        started = time.monotonic()
        outcomes = self.run.run([a_delivery(task, number=n) for n, task in enumerate(tasks)], PATIENCE_SECONDS)
        ends = [self.tasks.ended[task.task_id] for task in tasks if task.stage == "champion"]
        return outcomes, max(ends) - started


def of(stage: str) -> list[Task]:
    return [a_task(match_id=MATCH, stage=stage) for _ in range(IN_EACH)]


@pytest.mark.parametrize("kind", [None, *KINDS])
def test_the_champion_goes_on_at_its_usual_speed(kind: str | None) -> None:
    # GIVEN an environment that has loaded the champion, and receives of which each has tasks of both stages
    environment, seconds, answers = Environment(kind), [], []
    environment.predictor.predict_one("champion", a_task(match_id=MATCH).subject)
    champions = [of("champion") for _ in range(RECEIVES)]
    candidates = [of("candidate") if kind else [] for _ in range(RECEIVES)]

    # WHEN they are received in turn, with an on-demand answer after each
    for ours, theirs in zip(champions, candidates, strict=True):
        seconds.append(environment.receive([*theirs, *ours])[1])
        started = time.monotonic()
        environment.predictor.predict_one("champion", ours[0].subject)
        answers.append(time.monotonic() - started)

    # THEN each task of the champion succeeds long before a slow candidate would have answered, as does each answer
    ended = environment.tasks.get_many([task.task_id for tasks in champions for task in tasks])
    assert {task.status for task in ended.values()} == {TaskStatus.SUCCEEDED}
    environment.release.gate.set()
    assert max(seconds) < PATIENCE_SECONDS
    assert statistics.median([*seconds, *answers]) < PATIENCE_SECONDS / 10
    assert not environment.breaker.is_open(stage_cause("champion"))

    # THEN the candidate's tasks have failed with the reason, or wait without having spent an attempt too many
    left = environment.tasks.get_many([task.task_id for tasks in candidates for task in tasks])
    if kind in FAILED_FOR:
        assert {task.error.code for task in left.values() if task.error} == {FAILED_FOR[kind]}
        assert len(environment.lanes.dead_letters) == RECEIVES * IN_EACH
    elif kind == "crashing":  # the task that was tried alone, in each of two receives
        assert [letter.cause for letter in environment.lanes.dead_letters] == ["model-failed"] * 2
        assert environment.breaker.is_open(stage_cause("candidate"))
    elif kind != "slow":
        assert {task.status for task in left.values()} <= {TaskStatus.QUEUED}
        assert max((task.attempts for task in left.values()), default=0) <= 1
        assert environment.breaker.is_open(stage_cause("candidate")) == (kind is not None)


def test_a_slow_candidate_ends_its_tasks_by_itself() -> None:
    # GIVEN a receive whose candidate was no longer waited for
    environment = Environment("slow")
    tasks = of("candidate")
    outcomes, _ = environment.receive([*of("champion"), *tasks])
    assert [outcome.done for outcome in outcomes].count(False) == IN_EACH
    assert environment.breaker.is_open(stage_cause("candidate"))

    # WHEN its model answers at last
    environment.release.gate.set()
    give_up = time.monotonic() + 10
    while len(environment.tasks.get_many([task.task_id for task in tasks])) < IN_EACH and time.monotonic() < give_up:
        time.sleep(0.01)
    while environment.breaker.is_open(stage_cause("candidate")) and time.monotonic() < give_up:
        time.sleep(0.01)
    environment.run._stage_calls._threads["candidate"].join(10)  # type: ignore[attr-defined]

    # THEN its tasks have succeeded, they are counted once, and their messages find them over
    ended = environment.tasks.get_many([task.task_id for task in tasks])
    assert {task.status for task in ended.values()} == {TaskStatus.SUCCEEDED}
    assert [len(environment.run.ended_late()), len(environment.run.ended_late())] == [IN_EACH, 0]
    assert all(outcome.done for outcome in environment.run.run([a_delivery(task) for task in tasks]))
    assert not environment.breaker.is_open(stage_cause("candidate"))


@pytest.mark.parametrize("kind", [*FAILED_FOR, "lost file", "changed file", "refused by its loader"])
def test_on_demand_a_broken_candidate_says_what_is_wrong(kind: str) -> None:
    predictor = WithCandidate(kind=kind).predictor()

    with pytest.raises(MatchcastError) as caught:
        predictor.predict_one("candidate", a_task(match_id=MATCH).subject)
    assert isinstance(caught.value, Transient) == (kind not in FAILED_FOR)


def test_missing_columns_are_named_to_the_client_and_in_the_description_of_the_model() -> None:
    # GIVEN
    predictor = WithCandidate(kind="missing columns").predictor()

    # WHEN
    with pytest.raises(ReleaseUnfit) as caught:
        predictor.predict_one("candidate", a_task(match_id=MATCH).subject)

    # THEN
    assert caught.value.status == 503
    assert "odds_home, odds_away" in caught.value.public_detail
    assert isinstance(predictor.problem_of("candidate"), ReleaseUnfit)
    assert predictor.problem_of("champion") is None


def test_callers_own_features_need_no_snapshot() -> None:
    # GIVEN a model whose inputs the snapshot lacks
    predictor = WithCandidate(kind="missing columns").predictor()
    features = {"elo_difference": 1.0, "form": 1.0, "odds_home": 2.0, "odds_away": 3.0}

    # WHEN
    answer = predictor.predict_one("candidate", a_task(match_id=None, features=features).subject)

    # THEN
    assert answer.model.version == "4"
