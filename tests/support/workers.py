"""How tests are shared out to the workers of pytest-xdist, so that nothing expensive is made twice."""

from __future__ import annotations

from typing import Any

from xdist.scheduler import LoadScopeScheduling

LAPTOP = "tests/e2e/"
OWN_STACKS = f"{LAPTOP}test_stack.py"
MODELS = "tests/unit/infra/matchcast_tools/models/"
# What takes longest is begun first, so that all workers end at about the same time.
LONGEST_FIRST = (LAPTOP, OWN_STACKS, MODELS, "tests/faults/", "tests/fuzz/", "tests/unit/infra/", "tests/infra/")


def unit_of(nodeid: str) -> str:
    """Return what a worker takes as a whole: a file, or all files that share the laptop stack or the trained model."""
    path = nodeid.partition("::")[0]
    if path == OWN_STACKS:
        return path
    return next((folder for folder in (LAPTOP, MODELS) if path.startswith(folder)), path)


def place_of(nodeid: str) -> int:
    """Return when a test's unit is begun, the least first."""
    unit = unit_of(nodeid)
    if unit in LONGEST_FIRST:
        return LONGEST_FIRST.index(unit)
    return next((place for place, start in enumerate(LONGEST_FIRST) if unit.startswith(start)), len(LONGEST_FIRST))


class WholeFiles(LoadScopeScheduling):
    """A worker takes whole units in the order of collection."""

    def __init__(self, config: Any, log: Any = None) -> None:
        super().__init__(config, log)
        # Else files with many tests would come first, however quick they are.
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)
