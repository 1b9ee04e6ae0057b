"""The laptop stack as a whole: up with or without the sample league, described in `stack.json`, and down."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from matchcast_tools.errors import EnvironmentProblem
from matchcast_tools.laptop.deploy import ARTIFACTS_BUCKET, Deployed, deploy
from matchcast_tools.laptop.engine import start_engine, stop_engine
from matchcast_tools.laptop.sample_load import SampleLoad, begin_sample
from matchcast_tools.laptop.state import EngineRecord, Folder, engine_is_running, write_whole
from matchcast_tools.laptop.template import local_template
from matchcast_tools.stack.deployed import LOCAL, ROOT, client_secret

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Laptop:
    """Where a laptop stack is made from, and where it keeps its files."""

    folder: Folder = field(default_factory=lambda: Folder(LOCAL))
    root: Path = ROOT

    def up(
        self,
        *,
        port: int | None = None,
        bind: Sequence[str] = (),
        sample: bool = True,
        parameters: Mapping[str, str] | None = None,
        tell: Tell = lambda _: None,
    ) -> dict[str, Any]:
        """Start the engine, deploy the template, load the sample league; return what `stack.json` holds.

        Parameters
        ----------
        port
            The engine's loopback port; a free one by default.
        bind
            Addresses to listen on besides loopback, for containers.
        sample
            Whether the sample league and a model trained on it are loaded.
        parameters
            Values of template parameters in place of their defaults.
        tell
            Told what happens next.

        Raises
        ------
        EnvironmentProblem
            If a stack is running already, the port is taken, or a step failed. Then nothing is left running.
        """
        if engine_is_running(self.folder.root):
            raise EnvironmentProblem(self._already_running())
        tell("starting the local engine")
        engine = start_engine(self.folder, port, bind)
        loading = None
        try:
            # The sample is trained on one core while the template is deployed on another.
            loading = begin_sample(self.folder.root) if sample else None
            content = self._deploy(engine, loading, parameters or {}, tell)
        except BaseException:
            if loading:
                loading.stop()
            stop_engine(self.folder)
            raise
        return content

    def down(self) -> bool:
        """Stop the stack and everything that it started; False if there was none."""
        return stop_engine(self.folder)

    def _deploy(
        self, engine: EngineRecord, loading: SampleLoad | None, parameters: Mapping[str, str], tell: Tell
    ) -> dict[str, Any]:
        tell("translating the template")
        template = local_template(self.root / "template.yaml", ARTIFACTS_BUCKET, parameters)
        tell("deploying it")
        deployed = deploy(template, engine.port)
        if loading:
            loading.finish(deployed.stack, tell)
        content = describe(engine, deployed)
        write_whole(self.folder.stack, json.dumps(content, indent=1))
        return content

    def _already_running(self) -> str:
        record = self.folder.record()
        where = f" on port {record.port}" if record else ""
        return f"A laptop stack is running{where} already. Use it, or stop it with `matchcast down`."


def describe(engine: EngineRecord, deployed: Deployed) -> dict[str, Any]:
    """Return what `stack.json` holds of a deployed stack; it holds secrets, of this stack alone."""
    stack = deployed.stack
    client_id = stack.output("UserPoolClientId")
    return {
        "stack_name": stack.name,
        "region": stack.region,
        "api_url": stack.api_url,
        "host_header": stack.host_header,
        # The same address for clients that find *.localhost by themselves, as curl and browsers do.
        "browser_url": stack.browser_url,
        "port": engine.port,
        "pid": engine.pid,
        "token": stack.fetch_token(),
        "client_id": client_id,
        "client_secret": client_secret(stack, client_id),
        "queues": {
            "high": stack.output("HighQueueUrl"),
            "normal": stack.output("NormalQueueUrl"),
            "high_dead_letters": stack.output("HighDeadLetterQueueUrl"),
            "normal_dead_letters": stack.output("NormalDeadLetterQueueUrl"),
        },
        "tables": {"tasks": stack.output("TasksTableName")},
        "buckets": {"data": stack.output("DataBucketName")},
        "outputs": stack.outputs,
        "resources": deployed.names,
    }
