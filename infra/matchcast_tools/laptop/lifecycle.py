"""The laptop stack as a whole: the engine, the deployed template, the sample league and `stack.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from matchcast_tools.checkout import require_checkout
from matchcast_tools.laptop.deploy import ARTIFACTS_BUCKET, deploy
from matchcast_tools.laptop.engine import start_engine, stop_engine
from matchcast_tools.laptop.sample_load import begin_sample
from matchcast_tools.laptop.stack_file import describe
from matchcast_tools.laptop.state import Folder, write_whole
from matchcast_tools.laptop.template import local_template
from matchcast_tools.progress import Steps


def start_stack(
    folder: Folder,
    *,
    port: int | None = None,
    bind: Sequence[str] = (),
    sample: bool = True,
    parameters: Mapping[str, str] | None = None,
    progress: Steps = lambda _: None,
) -> dict[str, Any]:
    """Start the engine, deploy the checkout's template, load the sample league; return the content of `stack.json`.

    `folder`, `port` and `bind` are those of `start_engine`; `parameters` replace defaults of the template. Without
    `sample` no league and no model are loaded.

    Raises
    ------
    EnvironmentProblem
        If a stack is running already, there is no checkout, the port is taken, or a step failed. Then nothing is left
        running.
    """
    checkout = require_checkout()
    progress("starting the local engine")
    engine = start_engine(folder, port, bind)
    loading = None
    try:
        # The sample is trained on one core while the template is deployed on another.
        loading = begin_sample(folder.root) if sample else None
        progress("translating the template")
        template = local_template(checkout / "template.yaml", ARTIFACTS_BUCKET, parameters or {})
        progress("deploying it")
        stack, resources = deploy(template, engine.port)
        if loading:
            loading.finish(stack, progress)
        content = describe(stack, engine, resources)
        write_whole(folder.stack_file, json.dumps(content, indent=1))
    except BaseException:
        if loading:
            loading.stop()
        stop_engine(folder)
        raise
    return content
