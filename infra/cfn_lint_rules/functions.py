"""Rules E9001 and E9031: what functions may do, and where they log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from cfn_lint_rules import _rule as base

PREFIX = "/aws/lambda/"


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


@base.rule(
    "E9031",
    "Every function has a log group in the template, and every log group a retention",
    "A log group that Lambda creates itself keeps everything forever, and outlives the stack",
)
def functions_have_log_groups(template: base.Template) -> base.Problems:
    """Yield functions whose log group is not in the template, and groups without a retention."""
    groups = base.of_type(template, "AWS::Logs::LogGroup")
    names = {json.dumps(group.get("LogGroupName")) for group in groups.values()}
    for name, function in base.of_type(template, "AWS::Lambda::Function").items():
        if log_group_name(function.get("FunctionName")) not in names:
            yield name, f"{name} has no log group named {PREFIX}<its FunctionName>"
    for name, group in groups.items():
        if "RetentionInDays" not in group:
            yield name, f"{name} keeps logs forever; give it RetentionInDays"


def log_group_name(function_name: object) -> str | None:
    """Return the name of the group that Lambda writes to, in the JSON of its intrinsic."""
    match function_name:
        case str(text):
            return json.dumps(PREFIX + text)
        case {"Fn::Sub": str(text)}:
            return json.dumps({"Fn::Sub": PREFIX + text})
        case _:
            return None
