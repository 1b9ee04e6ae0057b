"""The local engine, MiniStack, as a process of its own: start it, wait for it, stop it with all its processes."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import urllib3

from matchcast import TELEMETRY_OFF
from matchcast_tools.errors import EnvironmentProblem
from matchcast_tools.laptop.processes import group_members, signal_group, wait_for_group_end
from matchcast_tools.laptop.state import EngineRecord, Folder, engine_is_running, engine_lock

READY_SECONDS = 30.0
STOP_SECONDS = 5.0
# Variables of a developer's shell that would point the engine or a function to another stack.
FOREIGN_PREFIXES = ("AWS_", "EDGE_PORT", "GATEWAY_PORT", "LAMBDA_", "LOCALSTACK_", "MINISTACK_", "MLFLOW_")


def start_engine(folder: Folder, port: int | None = None, bind: Sequence[str] = ()) -> EngineRecord:
    """Start an engine in a session of its own, and wait until it answers.

    Parameters
    ----------
    folder
        Where it keeps its log, scratch files and record.
    port
        A loopback port; a free one by default.
    bind
        Addresses to listen on in addition to loopback.

    Raises
    ------
    EnvironmentProblem
        If one is running already, the port is taken, or the engine does not come up.
    """
    with engine_lock(folder) as lock:
        clear_leftovers(folder)
        chosen = free_port() if port is None else require_free(port)
        folder.scratch.mkdir(parents=True, exist_ok=True)
        with folder.log.open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 - the engine of this environment
                [sys.executable, "-m", "matchcast_tools.laptop.gateway", str(chosen), *bind],
                cwd=folder.scratch,
                env=engine_environment(os.environ, folder, chosen),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=[lock],
            )
        record = EngineRecord(pid=process.pid, port=chosen)
        folder.write_record(record)
    try:
        wait_until_ready(record, folder, lambda: process.poll() is not None)
    except BaseException:
        stop_engine(folder)
        process.wait(STOP_SECONDS)
        raise
    # The engine outlives this object; without an exit status Python would warn of a process that still runs.
    process.returncode = 0
    return record


def engine_environment(inherited: Mapping[str, str], folder: Folder, port: int) -> dict[str, str]:
    """Return the engine's environment: the developer's, without the variables of another stack."""
    scratch = folder.scratch
    kept = {name: value for name, value in inherited.items() if not name.startswith(FOREIGN_PREFIXES)}
    return kept | {
        **TELEMETRY_OFF,
        # Functions get the credentials of their roles, and what the template does not allow is denied.
        "AUTH": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "BIND_HOST": "127.0.0.1",
        # The engine removes containers that it takes for its own, and needs none, so it must not find Docker.
        "DOCKER_HOST": f"unix://{scratch / 'no-docker.sock'}",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "LOG_LEVEL": "INFO",
        "NO_PROXY": "localhost,127.0.0.1",
        "PERSIST_STATE": "0",
        "PYTHONUNBUFFERED": "1",
        "S3_DATA_DIR": str(scratch / "s3"),
        "SFTP_ENABLED": "0",
        "STATE_DIR": str(scratch / "state"),
        "TMPDIR": str(scratch),
    }


def wait_until_ready(record: EngineRecord, folder: Folder, died: Callable[[], bool]) -> None:
    """Return once the engine answers.

    Raises
    ------
    EnvironmentProblem
        If it ended, or did not answer in time; the end of its log is part of the message.
    """
    pool = urllib3.PoolManager(retries=False, timeout=2)
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if died():
            break
        try:
            if pool.request("GET", f"http://127.0.0.1:{record.port}/_ministack/ready").status == 200:
                return
        except urllib3.exceptions.HTTPError:
            time.sleep(0.02)
    raise EnvironmentProblem(f"The local engine did not start. The end of {folder.log}:\n{tail(folder.log)}")


def stop_engine(folder: Folder) -> bool:
    """Stop the engine and every process that it started, remove its files; False if there was none.

    Raises
    ------
    EnvironmentProblem
        If a process survives SIGKILL.
    """
    record = folder.record()
    if record is None:
        return False
    alive = group_members(record.pid) if engine_is_running(folder) or orphans(record) else []
    for sent in (signal.SIGTERM, signal.SIGKILL):
        if alive:
            signal_group(record.pid, sent)
            alive = wait_for_group_end(record.pid, STOP_SECONDS)
    if alive:
        raise EnvironmentProblem(f"These processes of the local engine do not end: {alive}. End them by hand.")
    clear_leftovers(folder)
    return True


def orphans(record: EngineRecord) -> bool:
    """Return whether workers of a dead engine are left: a group without its leader keeps its id reserved."""
    members = group_members(record.pid)
    return bool(members) and record.pid not in members


def clear_leftovers(folder: Folder) -> None:
    """Remove the files of an engine that has ended."""
    folder.forget()
    shutil.rmtree(folder.scratch, ignore_errors=True)


def free_port() -> int:
    """Return an unused loopback port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def require_free(port: int) -> int:
    """Return the port if it can be bound.

    Raises
    ------
    EnvironmentProblem
        If another process listens there, or it may not be used.
    """
    with socket.socket() as probe:
        # As the engine binds: a port with closing connections is free, a port with a listener is not.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise EnvironmentProblem(
                f"Port {port} cannot be used ({error.strerror}). Give another one with --port, "
                "or leave it out to get a free one."
            ) from error
    return port


def tail(path: Path, lines: int = 20) -> str:
    """Return the last lines of a log."""
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return "(empty)"
