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
    (second,) = side_by_side({"stuck": lambda: gate.wait(10)}, 0.05)

    # THEN the second time no other thread is started
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


def test_stages_of_one_receive_are_waited_for_together_until_the_first_has_ended(
    gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN two stages that both have to load their model
    monkeypatch.setattr(stage_calls, "GIVE_WAY_SECONDS", 0.2)
    side_by_side, started = SideBySide[object](), time.monotonic()

    # WHEN one of them is never there
    answers = dict(side_by_side({"candidate": lambda: gate.wait(10), "champion": lambda: time.sleep(0.4)}, 10))

    # THEN the other one has all the time that it needs, and the first a little more
    assert answers["champion"] is None
    assert isinstance(answers["candidate"], ModelTooSlow)
    assert "more than 0.6 s" in answers["candidate"].detail
    assert time.monotonic() - started < 5


def test_a_stage_that_is_still_busy_is_called_as_soon_as_it_is_free(gate: threading.Event) -> None:
    # GIVEN an environment that was frozen while a model was loaded
    side_by_side = SideBySide[object]()
    list(side_by_side({"champion": lambda: gate.wait(10)}, 0.01))
    threading.Timer(0.1, gate.set).start()

    # WHEN its stage is called again
    answers = list(side_by_side({"champion": lambda: "second"}, 10))

    # THEN
    assert answers == [("champion", "second")]
    assert side_by_side.late() == [True]


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
