"""predict_now on memory: its lanes, and an inference in this process."""

from __future__ import annotations

from datetime import timedelta

import pytest

from matchcast.adapters.in_memory import InMemoryLanes, InMemoryResults, InMemorySpeeds, InMemoryTasks
from matchcast.bootstrap import parts, predictions, table
from matchcast.predictions.predict_now import PredictNow
from matchcast.predictions.result_cache import CachedResults
from matchcast.tasks.lane_speed import LaneSpeed
from tests.support.on_demand import ARRIVED, InProcess
from tests.support.releases import Release
from tests.support.submissions import a_submit
from tests.support.tasks import NOW


@pytest.fixture
def lanes() -> InMemoryLanes:
    return InMemoryLanes()


@pytest.fixture
def inference(monkeypatch: pytest.MonkeyPatch, lanes: InMemoryLanes) -> InProcess:
    inference, release, submit = InProcess(), Release(), a_submit(tasks=InMemoryTasks(), lanes=lanes)
    results = CachedResults(
        cache=InMemoryResults(),
        models=release.models,
        snapshots=release.snapshots,
        now=lambda: NOW,
        lifetime=timedelta(hours=1),
        count=lambda _: None,
    )
    use_case = PredictNow(inference=inference, results=results, submit=lambda: submit, now=lambda: ARRIVED)
    monkeypatch.setattr(predictions, "predict_now", lambda: use_case)
    monkeypatch.setattr(table, "lane_speed", lambda: LaneSpeed(InMemorySpeeds()))
    monkeypatch.setattr(parts, "now", lambda: ARRIVED)
    monkeypatch.setattr(predictions, "sync_deadline", lambda: timedelta(seconds=28))
    return inference
