"""`make demo`: a laptop stack of its own, the walk through it, and its end, however the command ends.

The stack is a new one, in a folder of its own, so that a stack that is in use stays as it is.
"""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack

from matchcast_tools.laptop.signals import interrupt_by_signals, interrupted_as_one
from matchcast_tools.streams import open_standard_streams


def main() -> None:
    """Start a stack, walk, stop it; exit 0 only if every answer was right."""
    open_standard_streams()
    interrupt_by_signals()
    try:
        with interrupted_as_one():
            # With the signals taken over already: these imports take a moment.
            from matchcast_tools.cli.main import run

            run(demonstrate)
    except KeyboardInterrupt:
        sys.stderr.write("The demo is stopped; nothing is left running.\n")
        sys.exit(130)


def demonstrate() -> None:
    """Walk through a new stack and print every request with its answer."""
    from rich.console import Console
    from rich.markup import escape

    from matchcast_tools.checkout import local_folder
    from matchcast_tools.cli.laptop import show_ready
    from matchcast_tools.cli.output import progress
    from matchcast_tools.laptop.lifecycle import running_stack
    from matchcast_tools.laptop.stack_file import laptop_stack
    from matchcast_tools.laptop.state import Folder
    from matchcast_tools.laptop.walk import Walk, WalkFailed, take
    from matchcast_tools.stack.api_client import ApiClient

    console = Console(width=120 if not sys.stdout.isatty() else None)
    started = time.perf_counter()
    console.print("Starting the laptop stack, importing the sample league, training and publishing a model ...")
    with ExitStack() as scope:
        with progress("starting") as tell:
            running = scope.enter_context(running_stack(Folder(local_folder()), new=True, progress=tell))
        show_ready(running, time.perf_counter() - started, as_json=False)
        stack = laptop_stack(running.engine.port, running.content["outputs"])
        walk = Walk(ApiClient.of(stack), console)
        try:
            take(walk, stack)
        except WalkFailed as failure:
            console.print(f"\n[bold red]Wrong:[/] {escape(str(failure))}")
            sys.exit(1)
    seconds = time.perf_counter() - started
    console.print(f"\n[bold green]All {walk.steps} answers were right[/] ({seconds:.0f} s with start and stop).")


if __name__ == "__main__":
    main()
