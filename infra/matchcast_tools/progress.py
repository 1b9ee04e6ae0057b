"""How long work reports what it does to the command that shows it."""

from __future__ import annotations

from collections.abc import Callable

Steps = Callable[[str], None]
"""Called with the next step before it begins."""
Items = Callable[[int, int, str], None]
"""Called with how many items are done, how many there are, and the name of the next one."""
