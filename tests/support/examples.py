"""How many examples a property is tried with: a quick gate's number, and times as many with EXAMPLES=4 (or more)."""

from __future__ import annotations

import os


def examples(in_the_gate: int) -> int:
    """Return the number of examples to try."""
    return in_the_gate * int(os.environ.get("EXAMPLES", "1"))
