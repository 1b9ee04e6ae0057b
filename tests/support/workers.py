"""How tests are shared out to the workers of pytest-xdist, so that nothing expensive is made twice."""

from __future__ import annotations

from typing import Any

from xdist.scheduler import LoadScopeScheduling

LAPTOP = "tests/e2e/"
OWN_STACKS = f"{LAPTOP}test_stack.py"


class WholeFiles(LoadScopeScheduling):
    """A worker takes whole files in the order of collection; one worker takes all that share the laptop stack."""

    def __init__(self, config: Any, log: Any = None) -> None:
        super().__init__(config, log)
        # Else files with many tests would come first, however quick they are.
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return LAPTOP if path.startswith(LAPTOP) and path != OWN_STACKS else path
