"""`stack.json`: the description of a running laptop stack, and the stack that it describes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from matchcast_tools.checkout import local_folder
from matchcast_tools.errors import EnvironmentProblem
from matchcast_tools.laptop.http_api import API_ID
from matchcast_tools.laptop.state import Folder, engine_is_running
from matchcast_tools.stack.deployed import STACK_NAME_VARIABLE, Stack
from matchcast_tools.stack.sessions import LAPTOP_REGION, BriefSession, laptop_session
from matchcast_tools.stack.tokens import client_secret, fetch_token

if TYPE_CHECKING:
    from matchcast_tools.laptop.engine import Engine

STACK_NAME = "matchcast"
HOST_HEADER = f"{API_ID}.execute-api.localhost"


def laptop_stack(port: int, outputs: dict[str, str]) -> Stack:
    """Return the laptop stack on the engine at `port`, with the outputs of its template."""
    return Stack(
        name=STACK_NAME,
        region=LAPTOP_REGION,
        api_url=f"http://127.0.0.1:{port}",
        host_header=HOST_HEADER,
        outputs=outputs,
        session=laptop_session(port),
    )


def running_stack() -> Stack:
    """Return the running laptop stack.

    Raises
    ------
    EnvironmentProblem
        If no laptop stack is running; a `stack.json` without its engine does not count.
    """
    folder = Folder(local_folder())
    try:
        content = json.loads(folder.stack_file.read_text())
        stack = laptop_stack(int(content["port"]), dict(content["outputs"]))
        described = replace(stack, session=BriefSession(stack.session))
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        # There is none, or one that was cut off: either way nothing can be said of a running stack.
        described = None
    if not engine_is_running(folder):
        raise EnvironmentProblem(
            f"No laptop stack is running. Start one with `make up`, or name a stack on AWS in {STACK_NAME_VARIABLE}."
        )
    if described is None:
        raise EnvironmentProblem(
            f"The laptop stack in {folder.root} is not ready: it starts, or it stops. Should that last, start it "
            "again: `matchcast down`, `make up`."
        )
    return described


def describe(stack: Stack, engine: Engine, resources: dict[str, str]) -> dict[str, Any]:
    """Return the content of `stack.json`; it contains secrets, of this stack alone."""
    client_id = stack.output("UserPoolClientId")
    return {
        "stack_name": stack.name,
        "region": stack.region,
        "api_url": stack.api_url,
        "host_header": stack.host_header,
        "browser_url": stack.browser_url,
        "port": engine.port,
        "pid": engine.pid,
        "token": fetch_token(stack),
        "client_id": client_id,
        "client_secret": client_secret(stack, client_id),
        "queues": {
            "high": stack.output("HighQueueUrl"),
            "normal": stack.output("NormalQueueUrl"),
            "batches": stack.output("BatchesQueueUrl"),
            "high_dead_letters": stack.output("HighDeadLetterQueueUrl"),
            "normal_dead_letters": stack.output("NormalDeadLetterQueueUrl"),
            "batches_dead_letters": stack.output("BatchesDeadLetterQueueUrl"),
        },
        "tables": {"tasks": stack.output("TasksTableName")},
        "buckets": {"data": stack.output("DataBucketName")},
        "outputs": stack.outputs,
        "resources": resources,
    }
