"""The command of `make faults`: its report, its exit codes and its replays."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer
from typer.testing import CliRunner, Result

from tests.faults import __main__ as command
from tests.faults import runs
from tests.faults.findings import Findings
from tests.faults.mutants import MUTANTS
from tests.faults.runs import Hunt, Report
from tests.faults.schedule import Verdict, run_schedule
from tests.faults.weather import Weather

if TYPE_CHECKING:
    import pytest


def test_the_command_ends_with_one_json_object_and_fails_where_anything_was_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # GIVEN a report of a stuck task and of two mutants, one of which was not caught
    found = {7: Findings(stuck=["it is queued"]), 8: Findings()}
    report = Report(
        20, 7, {seed: findings for seed, findings in found.items() if findings}, [Hunt("one"), Hunt("two", 3)]
    )
    monkeypatch.setattr(command, "run", lambda *_: report)

    # WHEN the command runs
    outcome = invoke("--schedules", "20", "--seed", "7")

    # THEN
    assert outcome.exit_code == 1
    assert json.loads(outcome.stdout.splitlines()[-1]) == {
        "schedules": 20,
        "seed": 7,
        "lost": 0,
        "changed": 0,
        "illegal": 0,
        "stuck": 1,
        "needless": 0,
        "mutants": 2,
        "mutants_killed": 1,
    }
    assert "REPLAY=7" in outcome.stdout


def test_a_schedule_can_be_replayed_step_by_step_with_and_without_a_mutant() -> None:
    # GIVEN a mutant and a schedule that catches it
    mutant = "202 before the record"
    seed = next(seed for seed in range(100) if caught(mutant, seed))

    # WHEN the schedule is replayed without and with the mutant
    good, broken = invoke("--replay", str(seed)), invoke("--replay", str(seed), "--mutant", mutant)

    # THEN
    assert (good.exit_code, broken.exit_code) == (0, 1)
    assert "Every promise was kept." in good.stdout
    assert "lost: .." in broken.stdout

    # WHEN the mutant is unknown
    # THEN that is a usage error
    assert invoke("--replay", "1", "--mutant", "no such").exit_code == 2


def test_a_schedule_that_shows_something_without_a_mutant_does_not_catch_it(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a mutant that every schedule shows, and two schedules that show something of the product as it is
    mutant = MUTANTS[0]
    real = getattr(mutant.owner, mutant.attribute)

    def watched(seed: int) -> Verdict:
        is_broken = getattr(mutant.owner, mutant.attribute) is not real
        return Verdict(seed, Findings(stuck=["it is queued"]) if seed < 3 or is_broken else Findings())

    monkeypatch.setattr(runs, "watched", watched)

    # WHEN it is hunted from the seed 1 on
    # THEN the third schedule is the first one that catches it
    assert runs.hunt(0, 1) == Hunt(mutant.name, 3, "stuck: it is queued")


def test_weather_that_aims_kills_and_stops_at_one_operation_alone() -> None:
    weather = Weather(aim="Query", killed=0.1, frozen=0.2, stalled=0.3, refused=0.4)

    assert weather.at("Query {}") == weather
    assert weather.at("GetItem 1") == Weather(aim="Query", refused=0.4)


def caught(name: str, seed: int) -> bool:
    mutant = next(mutant for mutant in MUTANTS if mutant.name == name)
    with mutant.alive():
        return bool(run_schedule(seed).findings)


def invoke(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(command.main)
    return CliRunner().invoke(app, arguments)
