"""What every rule shares: one method that yields problems, and how to look at a translated template."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from cfnlint.rules import CloudFormationLintRule, RuleMatch

Template = dict[str, Any]
"""Plain CloudFormation: cfn-lint translates SAM before it asks the rules."""
Problem = tuple[list[str | int], str]
"""Where in the template, and what is wrong there."""


class Rule(CloudFormationLintRule, ABC):  # type: ignore[misc]  # the library ships no types
    """A rule of this project; its class docstring says what holds, `description` why."""

    @abstractmethod
    def problems(self, template: Template) -> Iterator[Problem]:
        """Yield each place of a template where the rule does not hold."""

    def match(self, cfn: Any) -> list[RuleMatch]:
        """Return the problems as cfn-lint takes them."""
        return [RuleMatch(path, message) for path, message in self.problems(cfn.template)]


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
    """Return a list as it is, and one value as a list of it."""
    return value if isinstance(value, list) else [value]
