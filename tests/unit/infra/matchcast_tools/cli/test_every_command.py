"""Every command of the app, whatever it is, where what it needs is broken: a message and an exit code, no traceback."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from matchcast_tools.checkout import LOCAL_VARIABLE
from matchcast_tools.cli.main import main, make_app
from matchcast_tools.laptop import ending
from matchcast_tools.laptop.signals import ENDING_SIGNALS
from matchcast_tools.laptop.state import Folder, engine_lock
from matchcast_tools.stack.deployed import STACK_NAME_VARIABLE

pytestmark = pytest.mark.enable_socket

# Port 1 of loopback: nobody listens there.
DEAD = 1
OUTPUTS = {
    "DataBucketName": "data",
    "TasksTableName": "tasks",
    "TenantShards": "4",
    "ModelRuntime": "onnx",
    "UserPoolId": "us-east-1_x",
    "UserPoolClientId": "client",
    "TokenUrl": "https://x.auth.us-east-1.amazoncognito.com/oauth2/token",
    "RefreshSnapshotFunctionName": "refresh",
    "RunInferenceFunctionName": "inference",
    **{f"{lane}{kind}QueueUrl": "http://localhost:1/0/q" for lane in ("High", "Normal") for kind in ("", "DeadLetter")},
}
# What needs no stack: the address alone, and the end of a stack that has ended.
WORKS_WITHOUT = {"url", "sam-env", "down"}


def leaves(command: Any, *path: str) -> Iterator[list[str]]:
    """Yield the words of each command, with a value for each positional argument."""
    if hasattr(command, "commands"):
        for name, child in command.commands.items():
            yield from leaves(child, *path, name)
    else:
        given = ["0-x" for item in command.params if item.param_type_name == "argument"]
        confirmed = ["--yes"] if any("--yes" in item.opts for item in command.params) else []
        yield [*path, *given, *confirmed]


EVERY = list(leaves(typer.main.get_command(make_app())))
every_command = pytest.mark.parametrize("words", EVERY, ids=" ".join)
Run = Callable[[list[str]], tuple[int, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Run]:
    """Return what runs a command outside of a checkout, and gives its exit code and stderr."""
    before = {number: signal.getsignal(number) for number in ENDING_SIGNALS}
    environment = dict(os.environ)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(LOCAL_VARIABLE, str(tmp_path / "local"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr(ending, "LOCK_SECONDS", 0.1)

    def run(words: list[str]) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["matchcast", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        return (code if isinstance(code, int) else int(code is not None)), " ".join(capsys.readouterr().err.split())

    yield run
    for number, handler in before.items():
        signal.signal(number, handler)
    # MLflow writes its settings into the environment.
    os.environ.clear()
    os.environ.update(environment)


def explained(code: int, said: str) -> bool:
    return code in {1, 2, 3, 4} and len(said) > 8 and "Traceback" not in said


def test_every_group_is_walked() -> None:
    names = {words[0] for words in EVERY}

    assert {"up", "down", "doctor", "train", "publish", "history", "tasks", "dlq", "snapshot", "import"} <= names
    assert ["wait", "0-x"] in EVERY


@every_command
def test_where_the_engine_does_not_answer(words: list[str], run: Run, tmp_path: Path) -> None:
    # GIVEN a stack that is described, and whose engine lives and does not answer
    folder = Folder(tmp_path / "local")
    folder.root.mkdir()
    folder.stack_file.write_text(json.dumps({"port": DEAD, "outputs": OUTPUTS}))
    # WHEN
    with engine_lock(folder):
        code, said = run(words)
    # THEN
    assert explained(code, said) or (words[0] in WORKS_WITHOUT - {"down"} and code == 0)


@every_command
def test_where_the_description_is_damaged(words: list[str], run: Run, tmp_path: Path) -> None:
    # GIVEN an engine that lives, and whose stack nobody can read
    folder = Folder(tmp_path / "local")
    folder.root.mkdir()
    for path in (folder.stack_file, folder.engine, folder.port):
        path.write_text('{"port": ')
    # WHEN
    with engine_lock(folder):
        code, said = run(words)
    # THEN
    assert explained(code, said)


@every_command
def test_where_aws_cannot_be_reached(words: list[str], run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a stack that is named, and an endpoint that does not answer
    monkeypatch.setenv(STACK_NAME_VARIABLE, "matchcast")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{DEAD}")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    # WHEN
    code, said = run(words)
    # THEN
    assert explained(code, said) or (words[0] == "down" and code == 0)


@every_command
@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="needs a folder that nobody may write, root neither")
def test_where_local_state_cannot_be_written(words: list[str], run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN local state in a folder that cannot be made
    monkeypatch.setenv(LOCAL_VARIABLE, "/sys/kernel/matchcast")
    # WHEN
    code, said = run(words)
    # THEN
    assert explained(code, said) or (words[0] in {"down", "doctor"} and code == 0)


@pytest.mark.parametrize("words", [["train"], ["publish"], ["promote", "candidate"], ["rollback"]], ids=" ".join)
def test_where_the_registry_is_no_database(words: list[str], run: Run, tmp_path: Path) -> None:
    # GIVEN a file that is no database where the registry should be
    (tmp_path / "local").mkdir()
    (tmp_path / "local" / "mlflow.db").write_text("this is no database")
    # WHEN
    code, said = run(words)
    # THEN
    assert explained(code, said)
