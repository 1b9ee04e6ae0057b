"""The environment of the local engine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from matchcast import TELEMETRY_OFF
from matchcast_tools.laptop.environment import engine_environment
from matchcast_tools.laptop.state import Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_the_engine_sees_nothing_of_another_stack_account_or_registry(folder: Folder) -> None:
    # GIVEN settings of another stack, account and registry
    inherited = {
        "AUTH": "false",
        "AWS_PROFILE": "work",
        "AWS_ENDPOINT_URL": "https://elsewhere",
        "GATEWAY_PORT": "1",
        "LAMBDA_EXECUTOR": "docker",
        "LOCALSTACK_HOSTNAME": "x",
        "MINISTACK_REGION": "eu",
        "MLFLOW_TRACKING_URI": "https://registry",
        "DOCKER_HOST": "unix:///var/run/docker.sock",
        "HTTPS_PROXY": "http://proxy",
        "PATH": "/bin",
    }

    # WHEN
    made = engine_environment(inherited, folder, 4711)

    # THEN the engine has its own settings, keeps the proxy, and inherits nothing else of them
    assert made["GATEWAY_PORT"] == "4711"
    assert made["BIND_HOST"] == "127.0.0.1"
    assert made["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull
    assert made["HTTPS_PROXY"] == "http://proxy"
    assert "127.0.0.1" in made["NO_PROXY"]
    assert not {"AWS_PROFILE", "AWS_ENDPOINT_URL", "LAMBDA_EXECUTOR", "LOCALSTACK_HOSTNAME"} & set(made)
    assert not {"MINISTACK_REGION", "MLFLOW_TRACKING_URI"} & set(made)
    assert made.items() >= TELEMETRY_OFF.items()
    # Whoever starts it, roles and policies count.
    assert made["AUTH"] == "true"
    # The address of Docker leads nowhere, and everything is written under the folder.
    assert not Path(made["DOCKER_HOST"].removeprefix("unix://")).exists()
    for name in ("TMPDIR", "S3_DATA_DIR", "STATE_DIR"):
        assert Path(made[name]).is_relative_to(folder.root)
