"""The process of a pyfunc model: replaced when it is gone, and never the source of another call's answer."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from matchcast.adapters.pyfunc_model import PyfuncModel
from matchcast.errors import ModelCrashed, ModelFailed, ModelTooSlow
from tests.support.mlflow_warnings import MLFLOW_WARNINGS
from tests.support.pyfunc_models import code, load, saved

pytestmark = MLFLOW_WARNINGS

BODY = """
exec(open({path!r}).read())
return np.tile([float(model_input["elo_difference"].iloc[0]), 0, 0], (len(model_input), 1))
"""
FORKS = (
    "import os; os.fork()",
    "import os\nif not os.fork(): raise ValueError",
    "import os\nif not os.fork(): raise SystemExit",
)


@pytest.fixture(scope="module")
def behaviour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with what the model does in each call."""
    return tmp_path_factory.mktemp("behaviour") / "does.py"


@pytest.fixture(scope="module")
def loaded(behaviour: Path) -> PyfuncModel:
    behaviour.write_text("")
    return load(saved(code(BODY.format(path=str(behaviour)))))


@pytest.fixture
def does(behaviour: Path) -> Callable[[str], object]:
    behaviour.write_text("")
    return behaviour.write_text


@pytest.fixture
def model(loaded: PyfuncModel, does: Callable[[str], object]) -> PyfuncModel:
    assert answer(loaded, 1) == 1
    return loaded


def answer(model: PyfuncModel, value: float) -> float:
    return float(model.predict(np.full((1, 2), value, np.float32))[0, 0])


def pid_of(model: PyfuncModel) -> int:
    return model._process._process.pid


def kill(model: PyfuncModel) -> None:
    os.kill(pid_of(model), signal.SIGKILL)
    time.sleep(0.1)


@pytest.mark.parametrize("forks", FORKS)
def test_a_copy_that_a_model_forks_answers_nothing(
    forks: str, model: PyfuncModel, does: Callable[[str], object]
) -> None:
    # GIVEN
    pid = pid_of(model)
    does(forks)
    assert answer(model, 4) == 4
    does("")
    time.sleep(0.1)
    # WHEN
    found = [answer(model, value) for value in (5, 6, 7)]
    # THEN
    assert found == [5, 6, 7]
    assert pid_of(model) == pid, "its process was in order"


@pytest.mark.parametrize("body", [b"12345", bytes(8), bytes(48)])
def test_an_answer_of_another_size_is_none(body: bytes, model: PyfuncModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "_ask", lambda *_: body)
    with pytest.raises(ModelFailed, match=f"1 rows with {len(body)} bytes"):
        answer(model, 5)


def test_a_process_that_was_killed_while_nobody_asked_costs_no_call(model: PyfuncModel) -> None:
    kill(model)
    assert answer(model, 5) == 5


def test_a_process_that_was_killed_in_a_call_costs_no_answer(
    model: PyfuncModel, does: Callable[[str], object], tmp_path: Path
) -> None:
    once = tmp_path / "once"
    does(f"import os\nif not os.path.exists({str(once)!r}): open({str(once)!r}, 'w'); os.kill(os.getpid(), 9)")
    assert answer(model, 5) == 5
    assert once.exists()


def test_a_model_that_ends_its_process_each_time_is_tried_again_only_once(
    model: PyfuncModel, does: Callable[[str], object], tmp_path: Path
) -> None:
    # GIVEN
    calls = tmp_path / "calls"
    does(f"import os; print(file=open({str(calls)!r}, 'a')); os._exit(3)")
    # WHEN
    for expected in (2, 3):
        with pytest.raises(ModelCrashed, match="with status 3"):
            answer(model, 5)
        # THEN
        assert len(calls.read_text()) == expected
    does("")
    assert answer(model, 5) == 5


def test_a_process_that_is_replaced_too_slowly_is_no_failure_of_the_model(
    model: PyfuncModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill(model)
    monkeypatch.setattr(model, "_seconds", 0.1)
    with pytest.raises(ModelTooSlow):
        answer(model, 5)
    monkeypatch.undo()
    assert answer(model, 5) == 5


def test_a_call_that_has_waited_too_long_leaves_the_process_in_order(
    model: PyfuncModel, does: Callable[[str], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a call that takes as long as the next one can wait
    pid = pid_of(model)
    does("import time; time.sleep(1)")
    with ThreadPoolExecutor(1) as thread:
        first = thread.submit(answer, model, 4)
        time.sleep(0.2)
        # WHEN
        monkeypatch.setattr(model, "_seconds", 1.7)
        with pytest.raises(ModelTooSlow, match="too little time"):
            answer(model, 5)
    # THEN
    assert first.result() == 4
    assert pid_of(model) == pid
    assert model._process.is_ready()


def test_a_model_whose_folder_was_removed_gets_a_new_process_all_the_same(model: PyfuncModel) -> None:
    shutil.rmtree(model._folder.path)
    kill(model)
    assert answer(model, 5) == 5


def test_what_is_no_text_in_an_error_is_none_in_its_detail(model: PyfuncModel, does: Callable[[str], object]) -> None:
    does(r"raise FileNotFoundError('no \udcff there')")
    with pytest.raises(ModelFailed, match=r"no \? there"):
        answer(model, 5)


def test_a_model_that_has_spoilt_its_process_gets_a_new_one(model: PyfuncModel, does: Callable[[str], object]) -> None:
    # GIVEN
    pid = pid_of(model)
    does("import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))")
    assert answer(model, 5) == 5
    does("")
    # WHEN
    for _ in range(3):
        with pytest.raises(ModelFailed, match="Too many open files"):
            answer(model, 5)
    # THEN
    assert answer(model, 5) == 5
    assert pid_of(model) != pid


def test_a_model_that_fails_in_a_new_process_too_keeps_that_one(
    model: PyfuncModel, does: Callable[[str], object]
) -> None:
    # GIVEN a model that has answered, and fails from now on
    assert answer(model, 5) == 5
    first = pid_of(model)
    does("raise ValueError('broken')")
    seen = set()

    # WHEN
    for _ in range(12):
        with pytest.raises(ModelFailed):
            answer(model, 5)
        seen.add(pid_of(model))

    # THEN its process was replaced once, and again only after it had answered
    assert len(seen - {first}) == 1
    does("")
    assert answer(model, 5) == 5
    does("raise ValueError('broken')")
    for _ in range(4):
        with pytest.raises(ModelFailed):
            answer(model, 5)
    assert pid_of(model) not in seen
