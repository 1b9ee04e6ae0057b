"""Priority under backlog: a worker of the normal lane that has done its receive helps the high lane.

Each lane has its own concurrency, so the normal one never starves. Where the high lane has more messages than
its workers can take at once, the normal lane's workers take some of them before their own next receive. They stop
when half of their time is over, so that they soon go on with their own lane.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from matchcast.domain.task import Priority
from matchcast.errors import Transient
from matchcast.ports import PredictionQueue
from matchcast.tasks.run import RunPredictions
from matchcast.tasks.settle import Outcome

STAGE_SECONDS = 20.0
"""How long a helping receive waits for a model: half of the invocation's time may be over when it begins."""


class HelpHighLane:
    """Takes waiting messages of the high lane, predicts them, and deletes those that are done."""

    def __init__(self, run: RunPredictions, lanes: PredictionQueue) -> None:
        self._run = run
        self._lanes = lanes

    def help(self, has_time: Callable[[], bool]) -> list[Outcome]:
        """Return the outcomes of everything that was taken.

        Parameters
        ----------
        has_time
            Asked before each receive: whether there is time for one more.
        """
        outcomes: list[Outcome] = []
        while has_time():
            try:
                receive = self._lanes.take(Priority.HIGH)
            except Transient:
                break
            if not receive:
                break
            ended = {outcome.message_id: outcome for outcome in self._run.run(receive, STAGE_SECONDS)}
            outcomes += ended.values()
            done = [received for received in receive if ended[received.message_id].done]
            if done:
                with suppress(Transient):  # they come again, and find their tasks over
                    self._lanes.remove(Priority.HIGH, done)
            if len(done) < len(receive):
                # What goes wrong here goes wrong in the high lane's own workers as well; leave it to them.
                break
        return outcomes
