"""`matchcast dlq`: letters are counted, shown, redriven and discarded as the options choose them."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from matchcast.adapters.in_memory import InMemoryLanes, InMemoryTasks
from matchcast.domain.task import Priority, TaskStatus
from matchcast.messages import encode
from matchcast.tasks.dead_letters import DiscardDeadLetters, RedriveDeadLetters
from matchcast_tools.cli import dead_letters as commands
from tests.support.tasks import NOW, a_task

TASK = a_task()
BROKEN = "not a task"


@pytest.fixture
def lanes() -> InMemoryLanes:
    """One letter of a queued task without a cause, and one that cannot be read."""
    lanes = InMemoryLanes()
    lanes.bury(Priority.NORMAL, encode(TASK), None, None)
    lanes.bury(Priority.HIGH, BROKEN, "invalid-message", None)
    return lanes


@pytest.fixture
def tasks() -> InMemoryTasks:
    tasks = InMemoryTasks()
    tasks.create(TASK)
    return tasks


@pytest.fixture
def dlq(lanes: InMemoryLanes, tasks: InMemoryTasks, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The commands on these letters; each answers the JSON that it prints."""

    def redriving(_: Any, lifetime: timedelta) -> RedriveDeadLetters:
        return RedriveDeadLetters(letters=lanes, tasks=tasks, lanes=lanes, now=lambda: NOW, lifetime=lifetime)

    monkeypatch.setattr(commands, "find_stack", lambda: None)
    monkeypatch.setattr(commands, "dead_letters", lambda _: lanes)
    monkeypatch.setattr(commands, "redriving", redriving)
    discarding = DiscardDeadLetters(letters=lanes, tasks=tasks, now=lambda: NOW)
    monkeypatch.setattr(commands, "discarding", lambda _: discarding)
    app = typer.Typer()
    commands.register(app)

    def run(*arguments: str, json_wanted: bool = True) -> Any:
        ran = CliRunner().invoke(app, ["dlq", *arguments, *(["--json"] if json_wanted else [])])
        assert ran.exception is None
        return json.loads(ran.stdout) if json_wanted else ran.stdout

    return run


def test_letters_are_counted_by_lane_and_cause(dlq: Any) -> None:
    assert dlq("list") == [
        {"lane": "high", "cause": "invalid-message", "letters": 1},
        {"lane": "normal", "cause": commands.NO_CAUSE, "letters": 1},
    ]
    assert [row["lane"] for row in dlq("list", "--lane", "normal")] == ["normal"]


@pytest.mark.parametrize(
    ("options", "bodies"),
    [
        ((), {BROKEN, encode(TASK)}),
        (("--cause", "invalid-message"), {BROKEN}),
        (("--task", TASK.task_id), {encode(TASK)}),
        (("--task", "another"), set()),
        (("--task", TASK.task_id, "--lane", "high"), set()),
    ],
)
def test_the_letters_that_were_asked_for_are_shown(dlq: Any, options: tuple[str, ...], bodies: set[str]) -> None:
    shown = dlq("show", *options)
    assert {letter["body"] for letter in shown} == bodies
    assert all((letter["task_id"] == TASK.task_id) == (letter["body"] != BROKEN) for letter in shown)


def test_people_are_shown_the_same(dlq: Any) -> None:
    assert "invalid-message" in dlq("list", json_wanted=False)
    shown = dlq("show", json_wanted=False)
    assert f"task_id: {TASK.task_id}" in shown
    assert f"  {BROKEN}\n" in shown
    assert "redriven: 1" in dlq("redrive", "--task", TASK.task_id, json_wanted=False)


def test_a_dry_run_says_what_would_happen_and_changes_nothing(dlq: Any, lanes: InMemoryLanes) -> None:
    before = list(lanes.dead_letters)
    tried = dlq("redrive", "--dry-run")
    assert (tried["redriven"], tried["dry_run"]) == (1, True)
    assert dlq("discard", "--dry-run")["discarded, task failed"] == 1
    assert lanes.dead_letters == before


def test_a_redriven_task_leaves_the_letters_that_were_not_chosen(dlq: Any, lanes: InMemoryLanes) -> None:
    done = dlq("redrive", "--task", TASK.task_id)
    assert (done["redriven"], done["dry_run"]) == (1, False)
    assert [letter.body for letter in lanes.dead_letters] == [BROKEN]


def test_a_discarded_letter_is_gone_and_its_task_has_failed(
    dlq: Any, lanes: InMemoryLanes, tasks: InMemoryTasks
) -> None:
    dlq("discard", "--yes")
    assert lanes.dead_letters == []
    assert tasks.get_many([TASK.task_id])[TASK.task_id].status is TaskStatus.FAILED
