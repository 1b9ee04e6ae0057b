"""What every rule shares: how a function becomes a rule, and how to look at a translated template."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from cfnlint.rules import CloudFormationLintRule, RuleMatch

Template = dict[str, Any]
"""Plain CloudFormation: cfn-lint translates SAM before it asks the rules."""
Problem = tuple[str, str]
"""A logical id, and what is wrong there."""
Problems = Iterator[Problem]
Check = Callable[[Template], Problems]


class Rule(CloudFormationLintRule):  # type: ignore[misc]  # the library ships no types
    """A rule of this project."""

    problems: Check

    def match(self, cfn: Any) -> list[RuleMatch]:
        """Return the problems in the form that cfn-lint expects."""
        return [RuleMatch(["Resources", name], message) for name, message in self.problems(cfn.template)]


def rule(number: str, what: str, why: str) -> Callable[[Check], type[Rule]]:
    """Make a rule of a function that yields the problems of a template."""

    def make(check: Check) -> type[Rule]:
        class Made(Rule):
            id = number
            shortdesc = what
            description = why
            problems = staticmethod(check)

        return Made

    return make


def of_type(template: Template, kind: str) -> dict[str, dict[str, Any]]:
    """Return the properties of each resource of one type, by logical id."""
    return {name: item.get("Properties", {}) for name, item in template["Resources"].items() if item["Type"] == kind}


def resource_of(value: Any) -> str | None:
    """Return the logical id that a Ref or GetAtt names."""
    match value:
        case {"Ref": str(name)}:
            return name
        case {"Fn::GetAtt": [str(name), *_]}:
            return name
        case {"Fn::GetAtt": str(text)}:
            return text.split(".")[0]
        case _:
            return None


def bounds(template: Template, value: Any) -> tuple[float, float]:
    """Return the least and greatest number that a property can be; a parameter without bounds can be anything."""
    if not (isinstance(value, dict) and "Ref" in value):
        return float(value), float(value)
    parameter = template["Parameters"][value["Ref"]]
    return float(parameter.get("MinValue", "-inf")), float(parameter.get("MaxValue", "inf"))


def as_list(value: Any) -> list[Any]:
    """Return a list as it is, and any other value as a list of one."""
    return value if isinstance(value, list) else [value]
