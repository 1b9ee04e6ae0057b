"""What requests are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Route:
    """A route with requests that it takes."""

    handler: str
    method: str
    path: str
    query: Mapping[str, str]
    bodies: tuple[Mapping[str, Any], ...] = ()
