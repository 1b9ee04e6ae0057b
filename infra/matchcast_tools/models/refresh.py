"""A new snapshot after a switch; where it fails the switch stands, and what to run is said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from matchcast.errors import ReleaseRefused, Transient
from matchcast_tools.errors import EnvironmentProblem

Refresh = Callable[[], dict[str, Any]]
"""Asks the stack for a new snapshot (`matchcast_tools.stack.invoke_refresh.invoke_refresh`)."""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """The id of the new snapshot, or why there is none."""

    snapshot_id: str | None
    problem: str | None = None

    @classmethod
    def by(cls, refresh: Refresh | None) -> Refreshed | None:
        """Return what came of a refresh; None where none is asked for."""
        if refresh is None:
            return None
        try:
            return cls(refresh().get("snapshot_id"))
        except (EnvironmentProblem, ReleaseRefused, Transient) as error:
            return cls(
                None,
                f"There is no new snapshot, so precomputed predictions are still those of the version before: "
                f"{error.detail} Run `matchcast snapshot`.",
            )
