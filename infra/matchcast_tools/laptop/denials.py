"""What roles are denied, in the engine's log: code may pass over a denial, its developer should not.

The engine enforces the policies of roles and resources, and tells nobody but the caller. Where a function goes on
without what it could not read or write, nothing else would show that its role lacks a permission.
"""

from __future__ import annotations

import functools
import re
import sys
from dataclasses import dataclass
from typing import Any

_ROLE = re.compile(r":assumed-role/([^/]+)/")
_LINE = re.compile(r"^DENIED (?P<role>\S+) (?P<action>\S+) on (?P<resource>.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Denial:
    """A request that a role was denied."""

    role: str
    action: str
    resource: str


def denials_in(log: str) -> list[Denial]:
    """Return what the engine's log says was denied, in order."""
    return [Denial(**found.groupdict()) for found in _LINE.finditer(log)]


def report_denials() -> None:
    """Make the engine of this process write each denial to its log."""
    from ministack.core import iam_evaluator

    decide = iam_evaluator.enforce

    @functools.wraps(decide)
    def reporting(
        access_key_id: str, iam_action: str, service: str, region: str, resource_arn: str = "*", **context: Any
    ) -> Any:
        decision = decide(access_key_id, iam_action, service, region, resource_arn=resource_arn, **context)
        if isinstance(decision, iam_evaluator.EvalResult):
            role = _ROLE.search(decision.principal_arn)
            who = role[1] if role else decision.principal_arn
            sys.stderr.write(f"DENIED {who} {iam_action} on {resource_arn}\n")
        return decision

    iam_evaluator.enforce = reporting
