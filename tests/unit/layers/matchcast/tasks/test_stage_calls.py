"""The model calls of a receive: side by side, and never more than one for a stage."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from matchcast.errors import MatchcastError, ModelTooSlow, UnexpectedFault
from matchcast.tasks import stage_calls
from matchcast.tasks.stage_calls import SideBySide


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What slow calls wait for."""
    event = threading.Event()
    yield event
    event.set()


def test_a_stage_is_given_back_as_soon_as_its_call_has_ended(gate: threading.Event) -> None:
    # GIVEN a slow call that was begun first
    def slow() -> str:
        gate.wait(10)
        return "slow"

    calls = SideBySide[str]()({"slow": slow, "fast": lambda: "fast"}, 10)

    # WHEN the first result is asked for
    # THEN it is that of the fast one
    assert next(calls) == ("fast", "fast")
    gate.set()
    assert next(calls) == ("slow", "slow")


def test_a_call_is_waited_for_no_longer_than_there_is_time(gate: threading.Event) -> None:
    # GIVEN a call that does not end
    side_by_side, started = SideBySide[object](), time.monotonic()

    # WHEN it is waited for twice
    (first,) = side_by_side({"stuck": lambda: gate.wait(10)}, 0.05)
    threads = threading.active_count()
    # Else a process that is told to end would wait for it.
    assert [thread.daemon for thread in threading.enumerate() if thread.name == "stage-stuck"] == [True]
    (second,) = side_by_side({"stuck": lambda: gate.wait(10)}, 10)

    # THEN the second time no other thread is started, and nobody waits
    assert isinstance(first[1], ModelTooSlow)
    assert isinstance(second[1], ModelTooSlow)
    assert time.monotonic() - started < 5
    assert threading.active_count() == threads


def test_a_stage_whose_abandoned_call_has_ended_is_called_again(gate: threading.Event) -> None:
    # GIVEN a call that was abandoned, and ended then
    side_by_side = SideBySide[object]()
    list(side_by_side({"stage": lambda: gate.wait(10)}, 0.01))
    gate.set()
    side_by_side._threads["stage"].join()

    # WHEN
    answers = dict(side_by_side({"stage": lambda: "answer"}, 10))

    # THEN
    assert answers == {"stage": "answer"}


def test_what_a_call_raises_is_its_result() -> None:
    # GIVEN
    number = 1

    # WHEN
    answers = dict(SideBySide[object]()({"a": lambda: [0][number], "b": lambda: 1}, 10))

    # THEN
    assert isinstance(answers["a"], MatchcastError)
    assert isinstance(answers["a"], UnexpectedFault)
    assert isinstance(answers["a"].__cause__, IndexError)
    assert answers["b"] == 1


def test_an_environment_that_others_use_gives_way_sooner(
    gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN an environment that has just served another stage
    monkeypatch.setattr(stage_calls, "GIVE_WAY_SECONDS", 0.05)
    side_by_side, started = SideBySide[object](), time.monotonic()
    list(side_by_side({"champion": lambda: 1}, 10))

    # WHEN a stage takes long
    ((_, result),) = side_by_side({"candidate": lambda: gate.wait(10)}, 10)

    # THEN it is not waited for
    assert isinstance(result, ModelTooSlow)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(("usual", "patience"), [(None, "0.4"), (0.0, "0.1"), (0.07, "0.2"), (9.0, "0.4")])
def test_a_stage_is_waited_for_by_what_it_has_taken_before(
    gate: threading.Event, monkeypatch: pytest.MonkeyPatch, usual: float | None, patience: str
) -> None:
    # GIVEN an environment that another stage uses too, and what the stage took there
    monkeypatch.setattr(stage_calls, "GIVE_WAY_SECONDS", 0.4)
    monkeypatch.setattr(stage_calls, "LEAST_GIVE_WAY_SECONDS", 0.1)
    side_by_side = SideBySide[object]()
    side_by_side._longest = {} if usual is None else {"candidate": usual}
    list(side_by_side({"champion": lambda: 1}, 10))

    # WHEN its call does not end
    started = time.monotonic()
    ((_, result),) = side_by_side({"candidate": lambda: gate.wait(10)}, 10)

    # THEN
    assert isinstance(result, ModelTooSlow)
    assert f"more than {patience} s" in result.detail
    assert time.monotonic() - started >= float(patience) - 0.05


def test_the_longest_call_of_a_stage_counts() -> None:
    side_by_side = SideBySide[object]()
    list(side_by_side({"stage": lambda: time.sleep(0.02)}, 10))
    list(side_by_side({"stage": lambda: None}, 10))
    assert side_by_side._longest["stage"] >= 0.02


def test_a_stage_that_has_the_environment_to_itself_is_waited_for(
    gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage_calls, "GIVE_WAY_SECONDS", 0.01)

    assert list(SideBySide[object]()({"candidate": lambda: gate.wait(0.1)}, 10)) == [("candidate", False)]


def test_what_nobody_waited_for_is_there_later_once(gate: threading.Event) -> None:
    # GIVEN a call that was abandoned
    side_by_side = SideBySide[str]()
    list(side_by_side({"stage": lambda: str(gate.wait(10))}, 0.01))
    assert side_by_side.late() == []

    # WHEN it ends
    gate.set()
    side_by_side._threads["stage"].join()

    # THEN
    assert [side_by_side.late(), side_by_side.late()] == [["True"], []]
