"""The life of laptop stacks without a sample, through the real command: up, in use, down; and how it can go wrong."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from matchcast_tools.errors import EnvironmentProblem
from matchcast_tools.laptop.deploy import deploy
from matchcast_tools.laptop.ending import stop_engine
from matchcast_tools.laptop.engine import start_engine
from matchcast_tools.laptop.processes import group_members, marked_processes
from matchcast_tools.laptop.state import Folder
from matchcast_tools.laptop.template import LocalTemplate
from matchcast_tools.stack.api_client import ApiClient
from tests.proofs.stops import end_after
from tests.support.laptop import Command, assert_nothing_is_left

STARTING_SECONDS = 60


def wait_until(holds: Callable[[], bool], seconds: float = STARTING_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_resource_that_the_engine_cannot_make_is_named_with_the_reason(tmp_path: Path) -> None:
    # GIVEN a bare engine, and a template with a function whose layer does not exist
    folder = Folder(tmp_path / "local")
    function = {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Runtime": "python3.13",
            "Handler": "index.handler",
            "Role": "arn:aws:iam::000000000000:role/none",
            "Code": {"ZipFile": "def handler(event, context): return 1"},
            "Layers": ["arn:aws:lambda:us-east-1:000000000000:layer:gone:1"],
        },
    }
    template = LocalTemplate(json.dumps({"Resources": {"Broken": function}}), {}, {})
    engine = start_engine(folder)
    try:
        # WHEN it is deployed
        with pytest.raises(EnvironmentProblem) as caught:
            deploy(template, engine.port)
    finally:
        stop_engine(folder)
        engine.close()

    # THEN the message names the resource and gives the engine's reason
    assert "Broken (AWS::Lambda::Function)" in caught.value.detail
    assert "gone" in caught.value.detail
    assert "adaptations.py" in caught.value.detail


def test_up_is_used_and_down_leaves_nothing(command: Command) -> None:
    # WHEN a stack is started without a sample, on a port that is asked for
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    up = command.run("up", "--detach", "--no-sample", "--port", str(port), "--json")

    # THEN it is there, described, and answers
    assert up.returncode == 0, up.stderr
    assert "ready after" in up.stderr
    content = json.loads(up.stdout)
    assert content["port"] == port
    assert content == json.loads(command.stack_file.read_text())
    assert command.stack_file.stat().st_mode & 0o077 == 0
    api = ApiClient(content["api_url"], content["host_header"], content["token"])
    assert api.get("/monitoring/task_status/00000000-0000-7000-8000-000000000000").status == 404

    # WHEN a second one is started
    again = command.run("up", "--detach")
    # THEN it is refused with what to do
    assert again.returncode == 3
    assert "`matchcast down`" in again.stderr

    # WHEN a token is asked for
    token = command.run("token", "--scope", "predictions/read")
    # THEN it is printed alone, for a script
    assert token.returncode == 0, token.stderr
    assert len(token.stdout.split()) == 1
    assert len(token.stdout.split(".")) == 3

    # WHEN it is stopped
    engine = command.engine
    assert engine is not None
    started = time.monotonic()
    down = command.run("down", "--json")

    # THEN nothing is left, and the next `down` says so
    assert json.loads(down.stdout) == {"stopped": True, "kept": True}
    assert time.monotonic() - started < 10
    assert_nothing_is_left(command, engine)
    assert "No laptop stack is running" in command.run("down").stderr


def test_a_taken_port_is_refused_with_what_to_do(command: Command) -> None:
    # GIVEN
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()

        # WHEN
        up = command.run("up", "--detach", "--port", str(taken.getsockname()[1]))

    # THEN
    assert up.returncode == 3
    assert "cannot be used" in up.stderr
    assert "--port" in up.stderr
    assert command.engine is None


def test_commands_without_a_stack_say_how_to_start_one(command: Command) -> None:
    token = command.run("token")

    assert token.returncode == 3
    assert "make up" in token.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_a_running_stack_stops_all_of_it(command: Command, number: signal.Signals) -> None:
    # GIVEN
    up = command.start("up", "--no-sample", "--json")
    wait_until(command.stack_file.exists)
    engine = command.engine
    assert engine is not None
    # A function runs, so that there is a worker to stop as well.
    content = json.loads(command.stack_file.read_text())
    ApiClient(content["api_url"], content["host_header"]).get("/health")
    assert len(group_members(engine["pid"])) > 1

    # WHEN
    os.killpg(up.pid, number)

    # THEN
    said, _ = up.communicate(timeout=20)
    assert up.returncode == 0, said
    assert "nothing is left running" in said
    assert_nothing_is_left(command, engine)


def test_ctrl_c_during_the_start_leaves_nothing(command: Command) -> None:
    # GIVEN
    up = command.start("up")
    wait_until(lambda: command.engine is not None)
    engine = command.engine
    assert engine is not None

    # WHEN
    os.killpg(up.pid, signal.SIGINT)

    # THEN
    said, _ = up.communicate(timeout=20)
    assert up.returncode == 130, said
    assert_nothing_is_left(command, engine)


# `make prove-stops` does it with `make`, at ten moments each.
@pytest.mark.parametrize(
    ("number", "after"), [(signal.SIGINT, 0.15), (signal.SIGTERM, 0.7), (signal.SIGHUP, 1.2), (signal.SIGKILL, 0.9)]
)
def test_a_start_that_is_ended_at_any_moment_leaves_nothing(
    command: Command, number: signal.Signals, after: float
) -> None:
    outcome = end_after([*command.arguments, "up", "--no-sample"], command, number, after)

    assert not outcome.had_ended
    assert outcome.problems == []


def test_down_ends_a_start_which_says_so(command: Command) -> None:
    # GIVEN a start with its engine
    up = command.start("up", "--no-sample")
    wait_until(lambda: command.engine is not None)

    # WHEN another command stops it
    down = command.run("down", "--json")

    # THEN both say it, and nothing is left
    said, _ = up.communicate(timeout=STARTING_SECONDS)
    assert json.loads(down.stdout)["stopped"] is True
    assert up.returncode == 3
    assert "Traceback" not in said
    assert marked_processes(command.local) == []


def test_of_two_starts_at_once_one_succeeds(command: Command) -> None:
    # WHEN
    starts = [command.start("up", "--detach", "--no-sample") for _ in range(2)]
    said = [start.communicate(timeout=STARTING_SECONDS * 2)[0] for start in starts]

    # THEN the other one is told so, and the stack is usable
    assert sorted(start.returncode for start in starts) == [0, 3], said
    assert "Traceback" not in "".join(said)
    assert command.run("token").returncode == 0


def test_a_stack_whose_engine_died_is_recognised_and_replaced(command: Command) -> None:
    # GIVEN a stack whose engine was killed, and whose description is still there
    command.run("up", "--detach", "--no-sample")
    engine = command.engine
    assert engine is not None
    os.killpg(engine["pid"], signal.SIGKILL)
    assert command.stack_file.exists()

    # WHEN commands look for a stack
    # THEN they do not treat it as a running one
    assert command.run("token").returncode == 3
    findings = {item["check"]: item for item in json.loads(command.run("doctor", "--json").stdout)["findings"]}
    assert findings["leftovers"]["state"] == "warning"
    assert "matchcast down" in findings["leftovers"]["remedy"]

    # WHEN another one is started
    up = command.run("up", "--detach", "--no-sample", "--json")
    # THEN it takes the place of the dead one
    assert up.returncode == 0, up.stderr
    assert command.engine != engine


def test_an_engine_that_dies_ends_the_command_that_waits_for_it(command: Command) -> None:
    # GIVEN
    up = command.start("up", "--no-sample")
    wait_until(command.stack_file.exists)
    engine = command.engine
    assert engine is not None

    # WHEN
    os.killpg(engine["pid"], signal.SIGKILL)

    # THEN
    said, _ = up.communicate(timeout=20)
    assert up.returncode == 3
    assert "engine.log" in said
    assert_nothing_is_left(command, engine)
