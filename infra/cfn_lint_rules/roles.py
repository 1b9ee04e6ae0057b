"""Rule E9001: a role grants single actions on named resources, in statements of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cfn_lint_rules import _rule as base


class RolesGrantLeast(base.Rule):
    """No wildcard action, no wildcard resource, no managed policy, connector or policy template."""

    id = "E9001"
    shortdesc = "Roles grant least"
    description = "A role names single actions and single resources; a managed policy grants what nobody has read"

    def problems(self, template: base.Template) -> Iterator[base.Problem]:
        """Yield where a role or policy grants more than single actions on named resources."""
        for name, resource in template["Resources"].items():
            at: list[str | int] = ["Resources", name]
            if resource["Type"] in {"AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"}:
                yield at, f"{name} is a policy apart from its role; write the statements into the role"
        for name, role in base.of_type(template, "AWS::IAM::Role").items():
            at = ["Resources", name, "Properties"]
            if role.get("ManagedPolicyArns"):
                yield at, f"{name} takes managed policies; give the function a Role with the statements that it needs"
            for number, policy in enumerate(role.get("Policies", [])):
                for index, statement in enumerate(base.as_list(policy["PolicyDocument"]["Statement"])):
                    where = [*at, "Policies", number, "PolicyDocument", "Statement", index]
                    yield from ((where, f"{name}: {problem}") for problem in too_wide(statement))


def too_wide(statement: dict[str, Any]) -> Iterator[str]:
    """Yield what is too wide in one statement of a role."""
    if "NotAction" in statement or "NotResource" in statement:
        yield "grant what is needed, not all but something"
    for action in base.as_list(statement.get("Action", [])):
        if "*" in action:
            yield f"the action {action} is a wildcard"
    for resource in base.as_list(statement.get("Resource", [])):
        if resource == "*":
            yield "the resource * is everything in the account"
