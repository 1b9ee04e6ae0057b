"""Values for the template's parameters: what CloudFormation would refuse is refused, with what it has to be."""

from __future__ import annotations

import re
from typing import Any

import pytest

from matchcast_tools.errors import BadInput
from matchcast_tools.laptop.parameters import requirement, set_defaults
from matchcast_tools.laptop.template import read_template
from tests.support.template import ROOT

TEMPLATE = read_template(ROOT / "template.yaml")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("Nothing", "1", "has no parameter Nothing; it has .*TaskLifetimeSeconds"),
        ("TaskLifetimeSeconds", "59", "TaskLifetimeSeconds cannot be '59', it has to be a number and not below 60"),
        ("HighMaximumConcurrency", "1", "a number and not below 2 and not above 1000"),
        ("HighMaximumConcurrency", "1001", "a number and not below 2 and not above 1000"),
        ("TaskLifetimeSeconds", "x", "a number"),
        ("TaskLifetimeSeconds", "", "a number"),
        ("TaskLifetimeSeconds", "nan", "a number"),
        ("TaskLifetimeSeconds", "1e9", "a number"),
        ("LogLevel", "LOUD", "one of DEBUG, INFO, WARNING, ERROR"),
        ("LogRetentionDays", "2", "one of 1, 3, 5"),
        ("OddsBookmaker", "Bet 365", "like "),
        ("OddsBookmaker", "bet365\n", "like "),
        ("JwtIssuer", "http://plain", "like "),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_with_what_it_has_to_be(name: str, value: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        set_defaults(TEMPLATE, {name: value})


@pytest.mark.parametrize(
    ("parameter", "value", "allowed"),
    [
        ({"Type": "String"}, "anything\nat all", True),
        ({"Type": "Number", "AllowedValues": [1, 30]}, "30", True),
        ({"Type": "Number"}, "-1.5", True),
        ({"Type": "Number", "MinValue": 0}, "0", True),
        ({"Type": "Number", "MinValue": 0}, "-0.1", False),
        ({"Type": "Number", "MaxValue": 10}, "10.1", False),
        ({"Type": "String", "MinLength": 2, "MaxLength": 3}, "a", False),
        ({"Type": "String", "MinLength": 2, "MaxLength": 3}, "ab", True),
        ({"Type": "String", "MinLength": 2, "MaxLength": 3}, "abcd", False),
    ],
)
def test_a_requirement_is_named_only_where_it_is_missed(parameter: dict[str, Any], value: str, allowed: bool) -> None:
    assert (requirement(parameter, value) is None) is allowed


@pytest.mark.parametrize("name", sorted(TEMPLATE["Parameters"]))
def test_every_default_of_the_products_template_is_allowed(name: str) -> None:
    default = TEMPLATE["Parameters"][name].get("Default")
    assert default is None or requirement(TEMPLATE["Parameters"][name], str(default)) is None


@pytest.mark.parametrize("name", [name for name, item in TEMPLATE["Parameters"].items() if "MinValue" in item])
def test_every_limit_of_the_products_template_is_kept(name: str) -> None:
    below = str(TEMPLATE["Parameters"][name]["MinValue"] - 1)
    with pytest.raises(BadInput, match=re.escape(f"not below {TEMPLATE['Parameters'][name]['MinValue']}")):
        set_defaults(TEMPLATE, {name: below})
