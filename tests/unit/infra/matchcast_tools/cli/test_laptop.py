"""The commands of the laptop stack, as far as they can be tried without one."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from matchcast_tools.cli import laptop as commands
from matchcast_tools.cli.output import said_after
from matchcast_tools.errors import BadInput, EnvironmentProblem
from matchcast_tools.laptop import doctor, ending, lifecycle, signals
from matchcast_tools.laptop.lifecycle import Started
from matchcast_tools.laptop.machine import Finding

runner = CliRunner()


def app() -> typer.Typer:
    made = typer.Typer()
    commands.register(made)
    return made


def invoke(*arguments: str) -> Any:
    return runner.invoke(app(), arguments)


@pytest.fixture(autouse=True)
def _signals_restored() -> Any:
    before = {number: signal.getsignal(number) for number in signals.ENDING_SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class Owned:
    """Stands for an engine that ends with its owner unless it is released."""

    is_released = False

    def release(self) -> None:
        self.is_released = True


@pytest.fixture
def engine() -> Owned:
    return Owned()


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, engine: Owned) -> dict[str, Any]:
    """Pretend that a laptop stack starts at once; returns the options that it is started with."""
    given: dict[str, Any] = {}

    @contextmanager
    def run(_: Any, **options: Any) -> Iterator[Started]:
        given.update(options)
        content = {"browser_url": "http://f007ba11.execute-api.localhost:4711", "token": "eyJ", "port": 4711}
        yield Started(content, engine, continues=False)  # type: ignore[arg-type]

    monkeypatch.setattr(lifecycle, "running_stack", run)
    return given


@pytest.mark.usefixtures("started")
def test_up_prints_lines_that_can_be_copied() -> None:
    done = invoke("up", "--detach")

    lines = done.stdout.splitlines()
    assert done.exit_code == 0
    assert lines[0] == "export API=http://f007ba11.execute-api.localhost:4711"
    assert lines[1] == "export TOKEN=eyJ"
    assert all(line.startswith(("export ", "curl ", "# ")) for line in lines)
    assert "ready after" in done.stderr


@pytest.mark.usefixtures("started")
@pytest.mark.parametrize("value", ["true", "false"])
def test_up_names_the_docs_only_where_they_answer(value: str) -> None:
    lines = invoke("up", "--detach", "--set", f"DocsEnabled={value}").stdout.splitlines()

    assert ("/docs" in lines[-1]) is (value == "true")
    assert lines[-1].endswith("`matchcast token` prints a new token, `matchcast doctor` checks it all.")


@pytest.mark.usefixtures("started")
def test_up_with_json_prints_one_object_and_nothing_else() -> None:
    done = invoke("up", "--detach", "--json")

    assert json.loads(done.stdout)["port"] == 4711


@pytest.mark.parametrize("port", ["0", "65536", "x"])
def test_an_invalid_port_is_refused(port: str) -> None:
    assert invoke("up", "--port", port).exit_code == 2


def test_parameters_are_passed_on(started: dict[str, Any]) -> None:
    invoke("up", "--detach", "--no-sample", "--port", "4711", "--set", "OddsBookmaker=bet365", "--set", "JwtIssuer=")

    assert started["parameters"] == {"OddsBookmaker": "bet365", "JwtIssuer": ""}
    assert started["port"] == 4711
    assert started["sample"] is False


def test_up_outside_a_checkout_says_to_run_it_in_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    done = invoke("up", "--detach")

    assert isinstance(done.exception, EnvironmentProblem)
    assert "not in a checkout" in done.exception.detail


@pytest.mark.parametrize("text", ["OddsBookmaker", "=bet365"])
def test_a_parameter_of_another_form_is_refused(text: str) -> None:
    done = invoke("up", "--set", text)

    assert isinstance(done.exception, BadInput)
    assert "NAME=VALUE" in done.exception.detail


def test_a_reader_who_has_left_does_not_stop_a_detached_stack(
    monkeypatch: pytest.MonkeyPatch, started: dict[str, Any], engine: Owned
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(commands, "show_ready", fail)

    invoke("up", "--detach")

    assert started
    assert engine.is_released


@pytest.mark.parametrize("number", signals.ENDING_SIGNALS)
@pytest.mark.parametrize("options", [[], ["--detach"]])
def test_a_start_that_is_interrupted_has_the_status_of_its_signal(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals, options: list[str]
) -> None:
    # GIVEN a start during which a signal comes
    @contextmanager
    def run(*_: Any, **__: Any) -> Iterator[None]:
        signal.raise_signal(number)
        yield

    monkeypatch.setattr(lifecycle, "running_stack", run)

    # WHEN
    done = invoke("up", *options)

    # THEN
    assert done.exit_code == 128 + number
    assert "nothing is left running" in done.stderr


@pytest.mark.usefixtures("started")
def test_a_stack_in_the_foreground_ends_well_by_a_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "wait_for_end", lambda _: signal.raise_signal(signal.SIGINT))

    done = invoke("up")

    assert done.exit_code == 0
    assert "nothing is left running" in done.stderr


@pytest.mark.parametrize("saved", [True, False])
def test_down_says_where_the_last_seconds_may_be_lost(monkeypatch: pytest.MonkeyPatch, *, saved: bool) -> None:
    monkeypatch.setattr(ending, "save_engine", lambda _: saved)
    monkeypatch.setattr(ending, "stop_engine", lambda _: True)

    done = invoke("down")

    assert done.exit_code == 0
    assert "The laptop stack is stopped." in done.stderr
    assert ("may not be saved" in done.stderr) is not saved


def test_down_says_what_it_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "said_after", lambda _, text: said_after(0.0, text))
    monkeypatch.setattr(ending, "save_engine", lambda _: threading.Event().wait(0.3))
    monkeypatch.setattr(ending, "stop_engine", lambda _: True)

    assert "Waiting for the engine to save its state, 10 s at most." in invoke("down").stderr


def test_down_without_a_stack_says_so() -> None:
    assert json.loads(invoke("down", "--json").stdout) == {"stopped": False, "kept": False}


def test_token_without_a_stack_says_how_to_start_one() -> None:
    done = invoke("token")

    assert isinstance(done.exception, EnvironmentProblem)
    assert "make up" in done.exception.detail


FINDINGS = [Finding("one", "ok", "fine"), Finding("two", "warning", "[odd]", "Look at it.")]


def test_the_doctor_shows_findings_with_their_remedies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "examine", lambda: FINDINGS)

    done = invoke("doctor")

    assert done.exit_code == 0
    assert done.stdout.splitlines() == ["ok one: fine", "-- two: [odd]", "    Look at it."]


def test_the_doctor_ends_with_code_3_where_something_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a check that finds something broken
    monkeypatch.setattr(doctor, "examine", lambda: [*FINDINGS, Finding("three", "error", "broken", "Mend it.")])

    # WHEN
    done = invoke("doctor", "--json")

    # THEN
    assert done.exit_code == 3
    assert json.loads(done.stdout)["findings"][2] == {
        "check": "three",
        "state": "error",
        "detail": "broken",
        "remedy": "Mend it.",
    }


@pytest.mark.enable_socket
def test_the_doctor_examines_the_environment_where_there_is_no_stack() -> None:
    findings = {item["check"]: item["state"] for item in json.loads(invoke("doctor", "--json").stdout)["findings"]}

    assert findings["python"] == "ok"
    assert findings["stack"] == "warning"
