"""Rule E9031: every function writes its logs into a group of the template."""

from __future__ import annotations

import json

from cfn_lint_rules import _rule as base

PREFIX = "/aws/lambda/"


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
