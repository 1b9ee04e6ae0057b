"""Parts of batches get the time that is left of an invocation, less what their writes need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest  # noqa: TC002 - fixtures are annotated

from functions.run_inference.handler import run_parts
from matchcast.batch_messages import RunPart, encode_message
from matchcast.batches.run_parts import MODEL_SECONDS
from matchcast.bootstrap import inference
from matchcast.domain.task import Priority
from matchcast.ports import Received
from matchcast.tasks.settle import Outcome


@dataclass
class Worker:
    """Notes how long each part may take, and whether it may begin; one takes ten seconds."""

    milliseconds: int
    seconds: list[tuple[bool, float]] = field(default_factory=list)

    def run(self, parts: Sequence[Received], has_time: Callable[[], bool], seconds: float) -> list[Outcome]:
        self.seconds.append((has_time(), seconds))
        self.milliseconds -= 10_000
        return [Outcome(part.message_id, done=True) for part in parts]


def test_a_part_may_take_all_that_is_left_but_fifteen_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN an invocation with fifty seconds left
    worker = Worker(50_000)
    monkeypatch.setattr(inference, "run_parts", lambda: worker)
    body = encode_message(RunPart(batch_id="b", tenant="north", position=0, number=0))
    parts = [Received(f"message-{number}", "receipt", body, Priority.NORMAL) for number in range(4)]

    # WHEN its parts are run
    run_parts(parts, lambda: worker.milliseconds)

    # THEN a model that is loaded for the first time has most of it, and none begins that cannot end
    assert worker.seconds == [(True, 35.0), (True, 25.0), (True, 15.0), (False, 5.0)]
    assert MODEL_SECONDS == 10.0
