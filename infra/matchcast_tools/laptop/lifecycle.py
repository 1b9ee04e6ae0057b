"""The laptop stack as a whole: the engine, the deployed template, the sample league and `stack.json`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from matchcast_tools.checkout import require_checkout
from matchcast_tools.errors import BadInput, EnvironmentProblem
from matchcast_tools.laptop.deploy import ARTIFACTS_BUCKET, deploy
from matchcast_tools.laptop.ending import save_engine, stop_engine
from matchcast_tools.laptop.engine import Engine, start_engine, tail
from matchcast_tools.laptop.sample_load import SampleLoad, begin_sample
from matchcast_tools.laptop.signals import interrupted_as_one, uninterrupted
from matchcast_tools.laptop.stack_file import describe
from matchcast_tools.laptop.state import Folder, write_whole
from matchcast_tools.laptop.template import local_template
from matchcast_tools.progress import Steps

# How long an engine takes at most to end, after a request to it has failed for that.
ENDING_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Started:
    """A laptop stack that is ready: its `stack.json`, the engine, and whether it continues an earlier one."""

    content: dict[str, Any]
    engine: Engine
    continues: bool


@contextmanager
def running_stack(
    folder: Folder,
    *,
    port: int | None = None,
    bind: Sequence[str] = (),
    sample: bool = True,
    new: bool = False,
    parameters: Mapping[str, str] | None = None,
    progress: Steps = lambda _: None,
) -> Iterator[Started]:
    """Run a laptop stack for as long as the block takes, or for longer if the block releases the engine.

    The engine continues what the folder keeps, unless a `new` stack is wanted; then the checkout's template is deployed
    where it has changed. A stack without a past gets the sample league, unless `sample` is false. `port` and `bind` are
    those of `start_engine`; `parameters` replace defaults of the template.

    Raises
    ------
    EnvironmentProblem
        If a stack is running already, there is no checkout, the port is taken, or a step failed. Then nothing is left
        running, and what is kept is as before.
    """
    checkout = require_checkout()
    with interrupted_as_one():
        progress("starting the local engine")
        engine = start_engine(folder, port, bind, new=new)
        loading: SampleLoad | None = None
        try:
            continues = folder.saved.exists()
            # The sample is trained on one core while the template is deployed on another.
            loading = begin_sample(folder.root) if sample and not continues else None
            progress("translating the template")
            template = local_template(checkout / "template.yaml", ARTIFACTS_BUCKET, parameters or {})
            progress("deploying it")
            stack, resources = deploy(template, engine.port)
            if loading:
                loading.finish(stack, progress)
            content = describe(stack, engine, resources)
            write_whole(folder.stack_file, json.dumps(content, indent=1))
            save_engine(folder)
            yield Started(content, engine, continues)
        except Exception as error:
            if isinstance(error, BadInput) or not engine.ends_within(ENDING_SECONDS):
                raise
            raise EnvironmentProblem(
                "The local engine has ended: another command has stopped it, or it failed. "
                f"The end of {folder.log}:\n{tail(folder.log)}"
            ) from error
        finally:
            if not engine.is_released:
                with uninterrupted():
                    try:
                        stop(folder, loading)
                    finally:
                        engine.close()


def stop(folder: Folder, loading: SampleLoad | None) -> None:
    """Save the stack if it is ready, and stop all of it even if it cannot be saved.

    Raises
    ------
    EnvironmentProblem
        If it could not be saved, or a process does not end.
    """
    try:
        save_engine(folder)
    finally:
        try:
            if loading:
                loading.stop()
        finally:
            stop_engine(folder)
