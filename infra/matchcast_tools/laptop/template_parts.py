"""Parts of a CloudFormation template, found and replaced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Template = dict[str, Any]


def with_values(node: Any, values: Mapping[str, Any]) -> Any:
    """Return a part of a template with each reference to one of `values` replaced."""
    match node:
        case {"Ref": name} if name in values:
            return values[name]
        case dict():
            return {key: with_values(item, values) for key, item in node.items()}
        case list():
            return [with_values(item, values) for item in node]
        case _:
            return node


def of_type(template: Template, kind: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the resources of one type."""
    return [(name, item) for name, item in template["Resources"].items() if item["Type"] == kind]


def statements_of_roles(template: Template) -> list[dict[str, Any]]:
    """Return the statements of every role."""
    roles = [role["Properties"].get("Policies", []) for _name, role in of_type(template, "AWS::IAM::Role")]
    return [one for policies in roles for policy in policies for one in policy["PolicyDocument"]["Statement"]]
