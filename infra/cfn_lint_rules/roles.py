"""Rule E9001: a role grants single actions on named resources, in its own statements."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cfn_lint_rules import _rule as base


@base.rule(
    "E9001",
    "No wildcard action, no wildcard resource, no managed policy, no policy outside a role",
    "A role names single actions and single resources; a managed policy grants what was never reviewed here",
)
def roles_grant_least(template: base.Template) -> base.Problems:
    """Yield roles and policies that grant more than single actions on named resources."""
    for kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
        for name in base.of_type(template, kind):
            yield name, f"{name} is a policy outside its role; write the statements into the role"
    for name, role in base.of_type(template, "AWS::IAM::Role").items():
        if role.get("ManagedPolicyArns"):
            yield name, f"{name} has managed policies; give the function a Role with the statements that it needs"
        for policy in role.get("Policies", []):
            for statement in base.as_list(policy["PolicyDocument"]["Statement"]):
                yield from ((name, f"{name}: {problem}") for problem in too_wide(statement))


def too_wide(statement: dict[str, Any]) -> Iterator[str]:
    """Yield what is too wide in one statement of a role."""
    if "NotAction" in statement or "NotResource" in statement:
        yield "NotAction and NotResource grant everything else; name what is needed"
    for action in base.as_list(statement.get("Action", [])):
        if "*" in action:
            yield f"the action {action} is a wildcard"
    if "*" in base.as_list(statement.get("Resource", [])):
        yield "the resource * is everything in the account"
