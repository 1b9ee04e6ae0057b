"""The proof that `make demo` and `make up` can be ended at any moment, by any signal: nothing is left running.

    python -m tests.proofs.stops [--moments 10]

Each command is started with `make`, as people do, in a terminal's place: the signal goes to everything in the
foreground. The processes of the stack are found by their mark. After each end the next start has to work.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from matchcast_tools.laptop.processes import marked_processes
from tests.support.laptop import ROOT, Command

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)
STOP_SECONDS = 30.0
# Nobody cleans up after SIGKILL: the engine has to notice that its owner is gone.
ALONE_SECONDS = 3.0


@dataclass(frozen=True)
class Outcome:
    """What was seen after a command got a signal, or of one that had ended before it."""

    after: float
    seconds: float
    """From the signal to the end; of one that had ended, the time that it took."""
    had_ended: bool
    left: list[int]
    said: str

    @property
    def problems(self) -> list[str]:
        """What is wrong with it."""
        found = [f"{len(self.left)} processes are left"] * bool(self.left)
        # A Ctrl-C while Python itself still starts makes it print where it was; no code of the command has run then.
        is_ours = "Traceback" in self.said and "/matchcast_tools/" in self.said
        return found + ["a traceback was printed"] * is_ours


def make(target: str, command: Command) -> list[str]:
    """Return `make demo` or `make up` in the folders of a command, with this environment for the one it would make."""
    venv = Path(sys.executable).parent.parent
    folders = [f"DEMO_LOCAL={command.local}", f"DEMO_SAMPLE={command.sample}"]
    return ["make", "--old-file=setup", target, f"VENV={venv}", *folders]


def end_after(arguments: Sequence[str], command: Command, number: signal.Signals, after: float) -> Outcome:
    """Start a command, send a signal to its process group some seconds later, twice, and look at what is left."""
    process = subprocess.Popen(
        arguments,
        env=command.environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    started = time.monotonic()
    try:
        said, _ = process.communicate(timeout=after)
        return Outcome(after, time.monotonic() - started, had_ended=True, left=marked(command), said=said)
    except subprocess.TimeoutExpired:
        started = time.monotonic()
    send(process.pid, number)
    time.sleep(0.05)
    # Impatient people press Ctrl-C twice.
    send(process.pid, number)
    try:
        said, _ = process.communicate(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        send(process.pid, signal.SIGKILL)
        said, _ = process.communicate()
        return Outcome(after, STOP_SECONDS, had_ended=False, left=[process.pid], said=said)
    if number == signal.SIGKILL:
        while marked(command) and time.monotonic() - started < ALONE_SECONDS:
            time.sleep(0.02)
    return Outcome(after, time.monotonic() - started, had_ended=False, left=marked(command), said=said)


def send(group: int, number: signal.Signals) -> None:
    """Send a signal to a process group that may have ended."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return


def marked(command: Command) -> list[int]:
    """Return the processes of the command's stack."""
    found = marked_processes(command.local)
    if found is None:
        raise SystemExit("This proof needs /proc.")
    return found


def next_start(command: Command) -> list[str]:
    """Start and stop a stack in the same folder; return what is wrong with that."""
    up = command.run("up", "--detach", "--no-sample", "--json")
    down = command.run("down", "--json")
    found = [f"the next start failed: {up.stderr}"] * (up.returncode != 0)
    found += [f"the next stop failed: {down.stderr}"] * (down.returncode != 0)
    return found + ["processes are left after the next stop"] * bool(marked(command))


def prove(target: str, folder: Path, moments: int) -> Iterator[str]:
    """Yield a problem at a time, and print a line for each signal."""
    command = Command(folder / target, folder / "sample")
    started = time.monotonic()
    whole = make("demo", command) if target == "demo" else [*command.arguments, "up", "--detach"]
    done = subprocess.run(whole, env=command.environment, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"It failed without any signal:\n{done.stdout[-2000:]}{done.stderr}")
    seconds = time.monotonic() - started
    command.run("down")
    say(f"make {target}: {seconds:.1f} s to the end" if target == "demo" else f"make up: ready after {seconds:.1f} s")
    for number in SIGNALS:
        line = []
        moment = 0
        while moment < moments:
            if target == "up":
                # The first start of a day, with a training.
                shutil.rmtree(command.sample, ignore_errors=True)
                command.run("down", "--discard")
            outcome = end_after(make(target, command), command, number, seconds * (moment + 0.1) / moments)
            problems = outcome.problems + next_start(command)
            if outcome.had_ended:
                # Faster than the first time: the moment is taken again.
                seconds = outcome.seconds * 0.95
            else:
                moment += 1
                line.append(f"{outcome.after:.2f}" + ("!" if problems else ""))
            yield from (f"make {target}, {number.name} after {outcome.after:.2f} s: {problem}" for problem in problems)
            if problems:
                say(outcome.said)
        say(f"  {number.name:8} {' '.join(line)}")


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Prove it, and exit 1 if something was left, did not start again or printed a traceback."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=10)
    parser.add_argument("targets", nargs="*", default=["demo", "up"])
    given = parser.parse_args()
    # Under `nohup` it is ignored, and what is started here would inherit that.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    with tempfile.TemporaryDirectory(prefix="matchcast-stops-") as name:
        problems = [problem for target in given.targets for problem in prove(target, Path(name), given.moments)]
    say("\n".join(problems) or "Nothing was left running, and every next start worked.")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
