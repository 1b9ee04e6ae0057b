"""What a schedule should never show, in words, by kind."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta

CLOCKS_DIFFER = timedelta(seconds=2.1)
"""By how much the clocks of two processes may differ at most."""


@dataclass
class Findings:
    """The broken promises of one schedule."""

    lost: list[str] = field(default_factory=list)
    """A task, a letter or poison is gone, or missing from a list."""
    changed: list[str] = field(default_factory=list)
    """A final state, a key's task or a result differs from what was answered before, or from what is right."""
    illegal: list[str] = field(default_factory=list)
    """A write broke the lifecycle, or an answer the contract."""
    stuck: list[str] = field(default_factory=list)
    """Nothing will end a queued task, or it took too long in calm weather."""
    needless: list[str] = field(default_factory=list)
    """Something failed, and nothing had gone wrong."""

    def __bool__(self) -> bool:
        return any(getattr(self, kind) for kind in KINDS)

    def lines(self) -> list[str]:
        """Return every finding as a line."""
        return [f"{kind}: {finding}" for kind in KINDS for finding in getattr(self, kind)]


KINDS = tuple(each.name for each in fields(Findings))


def short(task_id: str) -> str:
    """Return an id as traces show it."""
    return f"..{task_id[-4:]}"


def moment(text: str) -> datetime:
    """Return a time as the API writes it."""
    return datetime.fromisoformat(text)
