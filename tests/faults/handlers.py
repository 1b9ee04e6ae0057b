"""The real handlers over in-memory parts, with a clock of the test's own."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

from functions.run_inference.handler import lambda_handler as run_inference
from matchcast.adapters.in_memory import InMemoryKeys, InMemoryLanes, InMemoryResults, InMemorySpeeds, InMemoryTasks
from matchcast.adapters.lambda_inference import LambdaInference
from matchcast.domain.task import Priority
from matchcast.http.cursors import Cursors
from matchcast.ports import Received
from matchcast.predictions.predict_now import PredictNow
from matchcast.predictions.result_cache import CachedResults
from matchcast.tasks.circuit_breaker import CircuitBreaker
from matchcast.tasks.dead_letters import RedriveDeadLetters
from matchcast.tasks.help_high_lane import HelpHighLane
from matchcast.tasks.lane_speed import LaneSpeed
from matchcast.tasks.retry import RetryTask
from matchcast.tasks.run import RunPredictions
from matchcast.tasks.track import TrackTasks
from tests.faults.specification import LIFETIME
from tests.support.http_events import Context
from tests.support.lambda_client import HandlerClient
from tests.support.parts import put
from tests.support.releases import Release
from tests.support.submissions import a_submit

QUEUES = {Priority.HIGH: "matchcast-high", Priority.NORMAL: "matchcast-normal"}


class Lanes(InMemoryLanes):
    """Lanes whose messages come only by `Service.deliver`."""

    def take(self, lane: Priority) -> Sequence[Received]:
        return ()


class Service:
    """What the handlers get from `matchcast.bootstrap` until the service is closed."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.tasks, self.lanes, self.release = InMemoryTasks(), Lanes(), Release()
        self._now = now
        self._stack = ExitStack()
        threads = self._stack.enter_context(ThreadPoolExecutor(2))
        put(lambda *where: self._stack.enter_context(mock.patch.object(*where)), self._parts(threads, now))
        # Else a failing sequence drowns in what its requests log.
        self._stack.enter_context(mock.patch.dict(os.environ, {"POWERTOOLS_METRICS_DISABLED": "true"}))
        logging.disable(logging.CRITICAL)
        self._stack.callback(logging.disable, logging.NOTSET)

    @property
    def redrive(self) -> RedriveDeadLetters:
        """A new command of an operator; one command redrives a task once."""
        return RedriveDeadLetters(
            letters=self.lanes, tasks=self.tasks, lanes=self.lanes, now=self._now, lifetime=LIFETIME
        )

    def deliver(self, numbers: Sequence[int]) -> Any:
        """Hand messages, by the order in which they were sent, to the inference function as one receive."""
        records = []
        for position, number in enumerate(numbers):
            lane, body, _ = self.lanes.sent[number]
            records.append(
                {
                    "messageId": f"message-{position}",
                    "receiptHandle": f"receipt-{position}",
                    "body": body,
                    "attributes": {"ApproximateReceiveCount": "1"},
                    "eventSourceARN": f"arn:aws:sqs:us-east-1:123456789012:{QUEUES[lane]}",
                }
            )
        return run_inference({"Records": records}, Context())

    def close(self) -> None:
        """Give the handlers back what they had."""
        self._stack.close()

    def _parts(self, threads: ThreadPoolExecutor, now: Callable[[], datetime]) -> dict[str, Any]:
        submit = a_submit(tasks=self.tasks, lanes=self.lanes, keys=InMemoryKeys(), now=now)
        track = TrackTasks(self.tasks, self.tasks, now)
        results = CachedResults(
            cache=InMemoryResults(),
            models=self.release.models,
            snapshots=self.release.snapshots,
            now=now,
            lifetime=timedelta(0),
            count=lambda _: None,
        )
        worker = RunPredictions(
            predictor=self.release.predictor(),
            tasks=self.tasks,
            lanes=self.lanes,
            threads=threads,
            breaker=CircuitBreaker(),
            now=now,
            max_attempts=3,
        )
        client: Any = HandlerClient(run_inference)
        inference = LambdaInference(client, "run_inference", now)
        return {
            "tasks.submit_prediction": submit,
            "tasks.track_tasks": track,
            "tasks.retry_task": RetryTask(track, submit),
            "predictions.predict_now": PredictNow(inference=inference, results=results, submit=lambda: submit, now=now),
            "inference.run_predictions": worker,
            "inference.help_high_lane": HelpHighLane(worker, self.lanes),
            "inference.lanes_by_queue_name": {name: lane for lane, name in QUEUES.items()},
            "table.lane_speed": LaneSpeed(InMemorySpeeds()),
            "http.cursors": Cursors(lambda: b"key"),
            "predictions.sync_deadline": timedelta(seconds=28),
        }
