"""Rule E9031: every function writes its logs into a group of the template's own."""

from __future__ import annotations

import json
from collections.abc import Iterator

from cfn_lint_rules import _rule as base

PREFIX = "/aws/lambda/"


class FunctionsHaveLogGroups(base.Rule):
    """Every function has a log group in the template, with a retention and a deletion policy."""

    id = "E9031"
    shortdesc = "Functions have log groups"
    description = "A log group that Lambda makes by itself keeps everything for ever, and outlives the stack"

    def problems(self, template: base.Template) -> Iterator[base.Problem]:
        """Yield functions whose log group is not in the template, and groups without retention or deletion policy."""
        groups = base.of_type(template, "AWS::Logs::LogGroup")
        names = {json.dumps(group.get("LogGroupName")) for group in groups.values()}
        for name, function in base.of_type(template, "AWS::Lambda::Function").items():
            if log_group_name(function.get("FunctionName")) not in names:
                yield ["Resources", name], f"{name} has no log group named {PREFIX}<its FunctionName>"
        for name, group in groups.items():
            if "RetentionInDays" not in group:
                yield ["Resources", name], f"{name} keeps logs for ever; give it RetentionInDays"
            if "DeletionPolicy" not in template["Resources"][name]:
                yield ["Resources", name], f"{name} does not say what becomes of it (DeletionPolicy)"


def log_group_name(function_name: object) -> str | None:
    """Return the name of the group that Lambda writes to, in the JSON of its intrinsic."""
    match function_name:
        case str(text):
            return json.dumps(PREFIX + text)
        case {"Fn::Sub": str(text)}:
            return json.dumps({"Fn::Sub": PREFIX + text})
        case _:
            return None
