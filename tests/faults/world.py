"""The parts of one schedule: the real use cases over the simulated outside."""

from __future__ import annotations

import random
from datetime import timedelta

from matchcast.adapters.in_memory import InMemoryResults, InMemorySpeeds
from matchcast.domain.task import Priority
from matchcast.predictions.predict_now import PredictNow
from matchcast.predictions.result_cache import CachedResults
from matchcast.snapshots.features import MatchIds
from matchcast.tasks.accept import AcceptTask
from matchcast.tasks.circuit_breaker import CircuitBreaker
from matchcast.tasks.dead_letters import RedriveDeadLetters
from matchcast.tasks.lane_speed import LaneSpeed
from matchcast.tasks.open_tasks import OpenTasks
from matchcast.tasks.retry import RetryTask
from matchcast.tasks.run import RunPredictions
from matchcast.tasks.submit import SubmitPrediction
from matchcast.tasks.sweep import SweepDeadLetters
from matchcast.tasks.track import TrackTasks
from tests.faults.calls import Calls, Weather
from tests.faults.model import FaultyPredictor, InTurn, InvokedInference, release
from tests.faults.queues import SimulatedQueues
from tests.faults.scheduler import Scheduler
from tests.faults.table import SimulatedKeys, SimulatedTasks
from tests.faults.witness import Witness

MAX_ATTEMPTS = 3


class World:
    """Everything that the actors of one schedule share."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.scheduler = Scheduler(rng)
        self.calls = Calls(self.scheduler, rng, Weather.draw(rng))
        self.tasks = SimulatedTasks(self.calls)
        self.keys = SimulatedKeys(self.calls)
        self.queues = SimulatedQueues(self.calls, self.scheduler, rng, max_receives=rng.choice((2, 3, 20)))
        self.predictor = FaultyPredictor(self.calls, self.scheduler)
        self.witness = Witness()
        self.lifetime = timedelta(minutes=10) if rng.random() < 0.1 else timedelta(days=2)
        one, now = release(), self.scheduler.utc_now
        self.submit = SubmitPrediction(
            accept=AcceptTask(tasks=self.tasks, lanes=self.queues, keys=self.keys, now=now, sleep=self.scheduler.pause),
            models=one.models,
            matches=MatchIds(one.snapshots, one.objects),
            open_tasks=OpenTasks(
                index=self.tasks,
                speed=LaneSpeed(InMemorySpeeds()),
                limit=4 if rng.random() < 0.1 else 10_000,
                now=now,
                monotonic=lambda: self.scheduler.now,
            ),
            lifetime=self.lifetime,
        )
        self.track = TrackTasks(self.tasks, self.tasks, now)
        self.retry = RetryTask(self.track, self.submit)
        self.inference = InvokedInference(self.calls, self.scheduler, self.new_worker)
        self.predict_now = PredictNow(
            inference=self.inference,
            results=CachedResults(
                cache=InMemoryResults(),
                models=one.models,
                snapshots=one.snapshots,
                now=now,
                lifetime=timedelta(0),
                count=lambda _: None,
            ),
            submit=lambda: self.submit,
            now=now,
        )
        self.sweep = SweepDeadLetters(self.queues, self.tasks, now)
        self.redrive = RedriveDeadLetters(
            letters=self.queues, tasks=self.tasks, lanes=self.queues, now=now, lifetime=self.lifetime
        )

    def new_worker(self) -> RunPredictions:
        """Return the worker of a new environment, with a circuit breaker of its own."""
        return RunPredictions(
            predictor=self.predictor,  # type: ignore[arg-type]
            tasks=self.tasks,
            lanes=self.queues,
            threads=InTurn(self.rng.shuffle),
            breaker=CircuitBreaker(monotonic=lambda: self.scheduler.now),
            now=self.scheduler.utc_now,
            max_attempts=MAX_ATTEMPTS,
        )

    def is_drained(self) -> bool:
        """Return whether no message waits in any lane."""
        return not any(self.queues.lanes[lane] for lane in Priority)
