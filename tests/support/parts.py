"""Parts of a test's own in place of those that the composition root would make."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def put(patch: Callable[[Any, str, Any], object], made: Mapping[str, Any]) -> None:
    """Have factories such as `table.lane_speed` of `matchcast.bootstrap` give these parts.

    `patch` sets an attribute of a module for as long as the test runs, as `monkeypatch.setattr` does.
    """
    for name, part in made.items():
        module, _, factory = name.partition(".")
        patch(importlib.import_module(f"matchcast.bootstrap.{module}"), factory, lambda part=part: part)
