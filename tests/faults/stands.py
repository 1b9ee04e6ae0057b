"""Stand-ins of modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Stand:
    """A module, or a part of one, of which some names are others."""

    def __init__(self, real: Callable[[], Any], **others: Any) -> None:
        self._real = real
        self.__dict__.update(others)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real(), name)
