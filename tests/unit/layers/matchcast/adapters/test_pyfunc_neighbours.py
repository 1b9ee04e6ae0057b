"""A broken model beside a good one in the same environment, both Python code: only its own calls notice."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from matchcast.adapters.in_memory import InMemoryLanes, InMemoryTasks
from matchcast.adapters.pyfunc_model import PyfuncModel
from matchcast.domain.task import TaskStatus
from matchcast.errors import ModelFailed, ModelTooSlow
from matchcast.tasks.circuit_breaker import CircuitBreaker, stage_cause
from matchcast.tasks.run import RunPredictions
from matchcast.tasks.stage_calls import SideBySide
from tests.support.broken_candidates import WithCandidate
from tests.support.mlflow_warnings import MLFLOW_WARNINGS
from tests.support.pyfunc_models import ROWS, code, load, saved
from tests.support.releases import MATCHES
from tests.support.tasks import NOW, a_delivery, a_task

pytestmark = MLFLOW_WARNINGS

USUAL_SECONDS = 1.0
"""What no call of a good model takes, on a busy machine either; one that hangs is given up after twice that."""
BREAKS = (
    "pass",
    "raise KeyError('x')",
    "print('{}' * 9999); raise KeyError('x')",
    "import sys; sys.exit(1)",
    "import os; os._exit(0)",
    "import ctypes; ctypes.string_at(0)",
    "import resource; resource.setrlimit(resource.RLIMIT_AS, (10**9, 10**9)); [0] * 10**10",
    "import time; time.sleep(99)",
    "import ctypes; ctypes.PyDLL(None).sleep(99)",
)
"""What the candidate does, chosen by the feature `form`."""
HANGS = BREAKS[-2:]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    """The models of two stages; each contains a module `strength`, and imports another, `late`, when it is called."""
    found = {}
    for stage, home in (("champion", 0.6), ("candidate", 0.2)):
        folder = tmp_path_factory.mktemp(stage)
        (folder / "strength.py").write_text(f"HOME = {home}\n")
        (folder / "late.py").write_text(f"AWAY = {0.7 - home}\n")
        body = "import late\n"
        if stage == "candidate":
            body += f"exec({BREAKS}[int(model_input['form'].max())])\n"
        body += "return np.tile([strength.HOME, 0.3, late.AWAY], (len(model_input), 1))"
        with importable(folder):
            paths = [str(folder / "strength.py"), str(folder / "late.py")]
            found[stage] = saved("import strength\n" + code(body), code_paths=paths)
    return found


@contextmanager
def importable(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop("strength", None)


@pytest.fixture(scope="module")
def champion(files: dict[str, dict[str, bytes]]) -> PyfuncModel:
    return load(files["champion"])


@pytest.fixture(scope="module")
def candidate(files: dict[str, dict[str, bytes]]) -> PyfuncModel:
    return load(files["candidate"])


def rows(breaks: str) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.array([[0, BREAKS.index(breaks)]] * 2, dtype=np.float32)


@pytest.mark.parametrize("breaks", BREAKS[1:])
def test_the_good_one_answers_at_its_usual_speed(
    breaks: str, champion: PyfuncModel, candidate: PyfuncModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN both models at work
    np.testing.assert_allclose(champion.predict(ROWS)[:, 0], 0.6, rtol=1e-6)
    np.testing.assert_allclose(candidate.predict(rows("pass"))[:, 0], 0.2, rtol=1e-6)
    if breaks in HANGS:
        monkeypatch.setattr(candidate, "_seconds", 2 * USUAL_SECONDS)

    # WHEN one is called in a way that breaks it, and the other all the while
    with ThreadPoolExecutor(1) as thread:
        seconds: list[float] = []
        broken = thread.submit(candidate.predict, rows(breaks))
        while not broken.done() or len(seconds) < 3:
            started = time.monotonic()
            np.testing.assert_allclose(champion.predict(ROWS)[:, 0], 0.6, rtol=1e-6)
            seconds.append(time.monotonic() - started)

    # THEN only the broken call failed, and its model can be called again
    assert statistics.median(seconds) < USUAL_SECONDS / 5
    assert max(seconds) < USUAL_SECONDS
    assert isinstance(broken.exception(), ModelTooSlow if breaks in HANGS else ModelFailed)
    monkeypatch.undo()
    np.testing.assert_allclose(candidate.predict(rows("pass"))[:, 0], 0.2, rtol=1e-6)


def test_threads_that_call_one_model_get_their_own_answers(champion: PyfuncModel) -> None:
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda n: champion.predict(np.zeros((n, 2), np.float32)), range(1, 60)))
    assert [len(each) for each in found] == list(range(1, 60))


def test_a_call_behind_one_that_hangs_waits_no_longer_than_a_call_may_take(
    candidate: PyfuncModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a call that hangs
    candidate.predict(rows("pass"))
    monkeypatch.setattr(candidate, "_seconds", 3.0)
    with ThreadPoolExecutor(1) as thread:
        hanging = thread.submit(candidate.predict, rows(HANGS[0]))
        time.sleep(0.2)

        # WHEN another call comes that may take less time
        monkeypatch.setattr(candidate, "_seconds", 0.3)
        with pytest.raises(ModelTooSlow, match="An earlier call"):
            candidate.predict(rows("pass"))

        # THEN it was given up before the first one, which leaves the model in order
        assert not hanging.done()
    assert isinstance(hanging.exception(), ModelTooSlow)
    monkeypatch.setattr(candidate, "_seconds", 60.0)
    assert len(candidate.predict(rows("pass"))) == 2


def test_a_model_that_cannot_be_started_again_has_failed(
    files: dict[str, dict[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a model whose process has ended, and whose files are damaged by then
    model = load(files["candidate"])
    (model._folder.path / "model/MLmodel").write_text("flavors: {}")
    for _ in range(2):
        # WHEN it is called
        # THEN
        with pytest.raises(ModelFailed, match=r"was not started again: .*cannot be loaded here"):
            model.predict(rows("import os; os._exit(0)"))


class Served(WithCandidate):
    """A release whose models are Python code."""

    loaded: dict[str, PyfuncModel]

    def load(self, published, files):  # type: ignore[no-untyped-def] # as the base has it
        return self.loaded["candidate" if published.version == "4" else "champion"]


@pytest.mark.parametrize("breaks", ["import os; os._exit(0)", HANGS[1]])
def test_the_tasks_of_the_good_one_end_at_their_usual_speed(
    breaks: str, champion: PyfuncModel, candidate: PyfuncModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a worker of both stages
    release, tasks, breaker = Served(kind="good"), InMemoryTasks(), CircuitBreaker()
    release.loaded = {"champion": champion, "candidate": candidate}
    monkeypatch.setattr(candidate, "_seconds", 8 * USUAL_SECONDS)
    worker = RunPredictions(
        predictor=release.predictor(),
        tasks=tasks,
        lanes=InMemoryLanes(),
        threads=ThreadPoolExecutor(4),
        breaker=breaker,
        now=lambda: NOW,
        max_attempts=3,
        stage_calls=SideBySide(),
    )
    match = next(iter(MATCHES))
    bad = {"elo_difference": 0.0, "form": float(BREAKS.index(breaks))}
    ours = [a_task(match_id=match, stage="champion") for _ in range(9)]
    theirs = [a_task(match_id=None, features=bad, stage="candidate") for _ in range(9)]

    # WHEN it receives tasks of both, again and again
    started = time.monotonic()
    for number in range(3):
        receive = [*theirs, *ours[3 * number : 3 * number + 3]]
        worker.run([a_delivery(task, number=n) for n, task in enumerate(receive)], 2 * USUAL_SECONDS)
    seconds = time.monotonic() - started

    # THEN the champion's have succeeded before the candidate's call is given up, and the candidate's circuit is open
    ended = tasks.get_many([task.task_id for task in ours]).values()
    assert [task.status for task in ended] == [TaskStatus.SUCCEEDED] * 9
    assert seconds < 8 * USUAL_SECONDS
    assert breaker.is_open(stage_cause("candidate"))
    assert not breaker.is_open(stage_cause("champion"))
    for thread in worker._stage_calls._threads.values():  # type: ignore[attr-defined]
        thread.join()
