"""Submission over in-memory parts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from matchcast.adapters.in_memory import InMemoryKeys, InMemoryLanes, InMemorySpeeds, InMemoryTasks
from matchcast.snapshots.features import MatchIds
from matchcast.tasks.accept import AcceptTask
from matchcast.tasks.lane_speed import LaneSpeed
from matchcast.tasks.open_tasks import OpenTasks
from matchcast.tasks.submit import SubmitPrediction
from tests.support.releases import Release
from tests.support.tasks import NOW


def a_submit(
    *,
    tasks: InMemoryTasks,
    lanes: InMemoryLanes,
    keys: InMemoryKeys | None = None,
    limit: int = 10_000,
    now: Callable[[], datetime] = lambda: NOW,
) -> SubmitPrediction:
    """Return the use case over a small release, with tasks that live an hour."""
    release = Release()
    return SubmitPrediction(
        accept=AcceptTask(tasks=tasks, lanes=lanes, keys=keys or InMemoryKeys(), now=now, sleep=lambda _: None),
        models=release.models,
        matches=MatchIds(release.snapshots, release.objects),
        open_tasks=OpenTasks(index=tasks, speed=LaneSpeed(InMemorySpeeds()), limit=limit, now=now),
        lifetime=timedelta(hours=1),
    )
