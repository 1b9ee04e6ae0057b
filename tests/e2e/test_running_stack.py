"""The laptop stack with the sample league: what is in it, and that `make up` starts and Ctrl-C ends one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from matchcast_tools.stack.api_client import ApiClient
from matchcast_tools.stack.deployed import Stack
from tests.support.laptop import ROOT, Command, assert_nothing_is_left


@pytest.mark.usefixtures("laptop")
def test_the_doctor_finds_nothing_wrong_with_the_sample_league(laptop_command: Command) -> None:
    doctor = laptop_command.run("doctor", "--json")

    findings = json.loads(doctor.stdout)["findings"]
    assert doctor.returncode == 0
    # Generated requests have cancelled batches that were planted without files: their letters are found, and rightly.
    assert {item["state"] for item in findings if item["check"] != "batches"} == {"ok"}, findings
    assert {"python", "ports", "api", "dataset", "models", "snapshot", "odds"} <= {item["check"] for item in findings}


def test_alarms_of_the_monitoring_template_exist(stack: Stack) -> None:
    alarms = stack.client("cloudwatch").describe_alarms()["MetricAlarms"]

    assert len(alarms) >= 6


def test_the_table_forgets_by_its_ttl_attribute(stack: Stack) -> None:
    described = stack.client("dynamodb").describe_time_to_live(TableName=stack.output("TasksTableName"))

    assert described["TimeToLiveDescription"] == {"TimeToLiveStatus": "ENABLED", "AttributeName": "ttl"}


def test_the_browsers_address_answers_like_the_one_with_a_host_header(laptop: dict[str, Any]) -> None:
    answer = ApiClient(laptop["api_url"], laptop["browser_url"].removeprefix("http://")).get("/health")

    assert answer.status == 200
    assert answer.json["status"] == "ok"


@pytest.mark.skipif(not Path(sys.executable).with_name("matchcast").exists(), reason="the command is not installed")
@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_ctrl_c_stops_a_stack_that_make_started(command: Command) -> None:
    # GIVEN `make up` with this environment in place of the one that it would make
    venv = Path(sys.executable).parent.parent
    make = subprocess.Popen(
        ["make", "--old-file=setup", "up", f"VENV={venv}"],
        env=command.environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert make.stdout is not None
    said = ""
    while "Ctrl-C stops it" not in said:
        line = make.stdout.readline()
        assert line, said
        said += line
    engine = command.engine
    assert engine is not None

    # WHEN the terminal sends Ctrl-C to everything in the foreground
    os.killpg(make.pid, signal.SIGINT)

    # THEN address, token and a line to copy were printed, and nothing is left
    make.communicate(timeout=30)
    assert "export API=http://f007ba11.execute-api.localhost:" in said
    assert "export TOKEN=ey" in said
    assert 'curl -s -H "Authorization: Bearer $TOKEN"' in said
    assert_nothing_is_left(command, engine)
