"""The `matchcast` command with a local folder of its own, and the stack that it starts."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from matchcast_tools.laptop.processes import group_members
from matchcast_tools.laptop.stack_file import laptop_stack
from matchcast_tools.stack.deployed import Stack

ROOT = Path(__file__).resolve().parents[2]


class Command:
    """The `matchcast` command with a local folder of its own."""

    def __init__(self, local: Path, sample: Path) -> None:
        self.local = local
        self.sample = sample
        self.arguments = [sys.executable, "-m", "matchcast_tools"]
        self.environment = {
            **os.environ,
            "MATCHCAST_LOCAL": str(local),
            "MATCHCAST_SAMPLE": str(sample),
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "infra"), str(ROOT / "layers/core/python")]),
            # Messages as one line, whatever the terminal.
            "COLUMNS": "1000",
        }

    def run(self, *arguments: str, timeout: float = 240) -> subprocess.CompletedProcess[str]:
        """Run to the end."""
        return subprocess.run(
            [*self.arguments, *arguments],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def json(self, *arguments: str) -> Any:
        """Run a command that must succeed, and return the JSON that it prints."""
        done = self.run(*arguments, "--json")
        if done.returncode != 0:
            raise RuntimeError(f"matchcast {' '.join(arguments)} failed: {done.stderr}")
        return json.loads(done.stdout)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start in a process group of its own, as a shell does with a job."""
        return subprocess.Popen(
            [*self.arguments, *arguments],
            env=self.environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    @property
    def engine(self) -> dict[str, int] | None:
        """The recorded engine."""
        path = self.local / "engine.json"
        return json.loads(path.read_text()) if path.exists() else None

    @property
    def stack_file(self) -> Path:
        """What the command wrote of the running stack."""
        return self.local / "stack.json"

    @contextmanager
    def stack(self, *options: str) -> Iterator[Stack]:
        """Run a stack with the sample league, started with these options of `up`."""
        content = self.json("up", "--detach", *options)
        try:
            yield laptop_stack(content["port"], content["outputs"])
        finally:
            self.run("down")


def assert_nothing_is_left(command: Command, engine: dict[str, int]) -> None:
    """Check that a stack is stopped with every process, and its files are removed."""
    assert group_members(engine["pid"]) == []
    assert not command.stack_file.exists()
    assert not (command.local / "engine").exists()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", engine["port"])) != 0


class Lanes:
    """The event source mappings of a function, by default that of inference, to let no worker receive for a while."""

    def __init__(self, stack: Stack, function: str = "RunInferenceFunctionName") -> None:
        self._client = stack.client("lambda")
        mappings = self._client.list_event_source_mappings(FunctionName=stack.output(function))
        self._ids = [mapping["UUID"] for mapping in mappings["EventSourceMappings"]]

    def rest(self) -> None:
        """Let no worker receive."""
        self._switch(enabled=False)

    def wake(self) -> None:
        """Let workers receive again."""
        self._switch(enabled=True)

    def _switch(self, *, enabled: bool) -> None:
        for mapping in self._ids:
            self._client.update_event_source_mapping(UUID=mapping, Enabled=enabled)


def queue_depth(stack: Stack, output: str, *, hidden: bool = False) -> int:
    """Return how many messages wait in the queue that an output names; with `hidden`, those under way as well."""
    names = ["ApproximateNumberOfMessages"]
    if hidden:
        names += ["ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"]
    answer = stack.client("sqs").get_queue_attributes(QueueUrl=stack.output(output), AttributeNames=names)
    return sum(int(answer["Attributes"][name]) for name in names)
