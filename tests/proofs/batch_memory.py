"""The memory of a stack's workers, sampled while they work."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.proofs.bench import Bench

WORKERS = ("split_batch", "run_inference")
SAMPLE_SECONDS = 0.5
_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB", re.MULTILINE)


@contextmanager
def peak_memory(work: Bench) -> Iterator[dict[str, dict[int, float]]]:
    """Sample the workers while the block runs; it yields the largest resident memory in MB, by function and process."""
    peaks: dict[str, dict[int, float]] = {name: {} for name in WORKERS}
    over = threading.Event()

    def sample() -> None:
        while not over.is_set():
            _look(work, peaks)
            over.wait(SAMPLE_SECONDS)

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield peaks
    finally:
        over.set()
        thread.join()
        _look(work, peaks)


def _look(work: Bench, peaks: dict[str, dict[int, float]]) -> None:
    engine = work.command.engine
    if engine is None:
        return
    command = ["ps", "-A", "-ww", "-o", "pid=,pgid=,rss=,args="]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for line in listed.splitlines():
        row = line.split(None, 3)
        if len(row) < 4 or int(row[1]) != engine["pid"]:
            continue
        # The engine unpacks each environment into a folder with the function's name.
        function = next((name for name in WORKERS if f"-{name}-" in row[3]), None)
        if function is not None:
            pid, megabytes = int(row[0]), _high_water(int(row[0])) or int(row[2]) / 1024
            peaks[function][pid] = max(megabytes, peaks[function].get(pid, 0.0))


def _high_water(pid: int) -> float | None:
    """Return the largest resident memory that a process ever had, where the system remembers it (Linux)."""
    try:
        found = _PEAK.search(Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return None
    return int(found[1]) / 1024 if found else None
