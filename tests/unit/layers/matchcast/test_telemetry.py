"""No library reports to its maker: seen by the device id that ONNX Runtime keeps before it sends anything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from matchcast import TELEMETRY_OFF

ROOT = Path(__file__).resolve().parents[4]
# A device id is written when the library is first used; a proxy that is not there keeps the reports on this machine.
NO_WAY_OUT = dict.fromkeys(("all_proxy", "http_proxy", "https_proxy"), "http://127.0.0.1:9")
LOAD = """
from matchcast.adapters.onnx_model import ARTIFACT, load_onnx
from tests.unit.layers.matchcast.adapters.test_onnx_model import linear, published
load_onnx(published(), {ARTIFACT: linear()})
"""
ASK_MLFLOW = "import mlflow.telemetry.utils as telemetry; print(telemetry.is_telemetry_disabled())"


def run(code: str, home: Path) -> str:
    """Run a program as a user does: with none of the variables by which libraries know that they are tested."""
    environment = {
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "layers/core/python")]),
        **NO_WAY_OUT,
    }
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def kept(home: Path) -> list[str]:
    return [path.name for path in home.rglob("*") if path.is_file()]


def test_onnx_runtime_keeps_and_sends_nothing_where_this_package_serves_a_model(tmp_path: Path) -> None:
    run(LOAD, tmp_path)
    assert kept(tmp_path) == []


@pytest.mark.skipif(sys.platform != "linux", reason="where the device id is kept differs")
def test_without_the_switch_onnx_runtime_would_report(tmp_path: Path) -> None:
    run(f"import matchcast, os; del os.environ['ORT_DISABLE_TELEMETRY']\n{LOAD}", tmp_path)
    assert "deviceid" in kept(tmp_path)


@pytest.mark.parametrize(("before", "disabled"), [("import matchcast", "True"), ("", "False")])
def test_mlflow_is_told_not_to_report(before: str, disabled: str, tmp_path: Path) -> None:
    assert run(f"{before}\n{ASK_MLFLOW}", tmp_path) == disabled


def test_what_somebody_has_set_does_not_switch_reports_on() -> None:
    code = "import os; os.environ['ORT_DISABLE_TELEMETRY'] = '0'; import matchcast; print(dict(os.environ))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(f"'{name}': '{value}'" in done.stdout for name, value in TELEMETRY_OFF.items())
