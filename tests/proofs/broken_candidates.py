"""What a broken candidate costs the champion: nothing. Measured on a stack, with each kind of breakage in turn."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from tests.proofs.bench import Bench
from tests.proofs.claims import Claims

ANSWERS, TASKS, CANDIDATES = 40, 60, 60
SLOW_SECONDS = 20
MISSING = "odds_home"
TURNS_BAD = {"raising", "crashing", "NaN answers", "wrong width", "slow"}
GRACE_SECONDS = 6.0
"""How much later the champion's tasks may end: once, each worker waits for a slow model, two seconds at most."""

Speed = dict[str, float]


def broken_candidates(work: Bench, claims: Claims) -> None:
    """The champion's answers and tasks beside a candidate that is broken in each way, and without one."""
    claims.say(f"{ANSWERS} answers and {TASKS} tasks of the champion, without a candidate (twice: the first warms up)")
    measure(work, TASKS)
    table = {"none": measure(work, TASKS)}
    for kind, stage, breakage in kinds(work):
        claims.say(f"beside {CANDIDATES} tasks of a candidate: {kind}")
        if kind in TURNS_BAD:
            # It served before it broke, in the workers of both lanes.
            work.wait_for(work.submit(stage, ["high", "normal"] * 10), seconds=60)
        breakage()
        doomed = work.submit(stage, ["high", "normal"] * (CANDIDATES // 2))
        table[kind] = measure(work, TASKS)
        ended = work.tasks(doomed).values()
        table[kind]["candidates_over"] = sum(task["status"] != "queued" for task in ended)
    usual = table["none"]
    late = {
        kind: speed
        for kind, speed in table.items()
        if speed["succeeded"] < TASKS
        or speed["answer_p95_ms"] > max(3 * usual["answer_p95_ms"], usual["answer_p95_ms"] + 500)
        or speed["task_p50_s"] > usual["task_p50_s"] + GRACE_SECONDS / 2
        or speed["task_p95_s"] > usual["task_p95_s"] + GRACE_SECONDS
    }
    claims.hold(
        "beside every kind of broken candidate the champion answers at its usual speed",
        holds=not late,
        champion_speed=table,
        champion_held_up_by=sorted(late),
    )


def kinds(work: Bench) -> list[tuple[str, str, Callable[[], object]]]:
    """Release a candidate for each kind; return its name, its stage, and what breaks it."""
    found: list[tuple[str, str, Callable[[], object]]] = []
    behaviours: dict[str, dict[str, Any]] = {
        "raising": {"broken": True},
        "crashing": {"exits": True},
        "NaN answers": {"answer": "nan"},
        "wrong width": {"answer": "narrow"},
        "slow": {"seconds": SLOW_SECONDS},
    }
    for number, (kind, behaviour) in enumerate(behaviours.items()):
        timed = work.release_timed_model(f"candidate-{number}")
        found.append((kind, f"candidate-{number}", partial(timed.behave, **behaviour)))
    work.release_timed_model("candidate-odds", more_features=[MISSING])
    found.append(("missing columns", "candidate-odds", lambda: None))
    found.append(("lost file", "candidate-lost", lambda: _lose(work, "candidate-lost")))
    return found


def measure(work: Bench, tasks: int) -> Speed:
    """Return how long the champion's answers and tasks take, sent over some seconds while others wait."""
    ids = work.submit("champion", ["high", "normal"] * (tasks // 2))
    milliseconds: list[float] = []
    for number in range(ANSWERS):
        started = time.monotonic()
        features = work.champion_features(number)
        answer = work.api.post("/predict/", {"features": features})
        milliseconds.append((time.monotonic() - started) * 1000)
        if answer.status != 200:
            milliseconds[-1] = 60_000.0
    ended = work.wait_for(ids, seconds=60).values()
    seconds = [_seconds(task) for task in ended if task["status"] == "succeeded"]
    return {
        "answer_p50_ms": _percentile(milliseconds, 50),
        "answer_p95_ms": _percentile(milliseconds, 95),
        "task_p50_s": _percentile(seconds or [60.0], 50),
        "task_p95_s": _percentile(seconds or [60.0], 95),
        "succeeded": len(seconds),
    }


def _lose(work: Bench, stage: str) -> None:
    """Publish a candidate and delete its files before anybody has read them."""
    published = work.publish_unserved(stage).manifest.stages[stage]
    work.bucket.delete([published.prefix + name for name in published.files])
    time.sleep(2)


def _seconds(task: dict[str, Any]) -> float:
    begun, ended = (datetime.fromisoformat(task[name]) for name in ("created_at", "completed_at"))
    return (ended - begun).total_seconds()


def _percentile(values: Sequence[float], percent: int) -> float:
    if len(values) < 2:
        return round(values[0], 2)
    return round(statistics.quantiles(values, n=100, method="inclusive")[percent - 1], 2)
