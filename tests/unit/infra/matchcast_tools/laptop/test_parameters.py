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
        (
            "TaskLifetimeSeconds",
            "59",
            "TaskLifetimeSeconds cannot be '59', it has to be a whole number and not below 60",
        ),
        ("HighMaximumConcurrency", "1", "a whole number and not below 2 and not above 1000"),
        ("HighMaximumConcurrency", "1001", "a whole number and not below 2 and not above 1000"),
        ("TaskLifetimeSeconds", "x", "a whole number"),
        ("TaskLifetimeSeconds", "", "a whole number"),
        ("TaskLifetimeSeconds", "nan", "a whole number"),
        ("TaskLifetimeSeconds", "1e9", "a whole number"),
        ("TenantShards", "1.5", "a whole number and not below 1 and not above 64"),
        ("HighBatchSize", "2.0", "a whole number"),
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
        ({"Type": "Number", "Default": 0.5}, "1.5", True),
        ({"Type": "Number", "Default": 1}, "1.5", False),
        ({"Type": "Number", "Default": "1"}, "2", True),
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


NUMBERS = [
    name for name, item in TEMPLATE["Parameters"].items() if item["Type"] == "Number" and "AllowedValues" not in item
]


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize(("limit", "beyond", "words"), [("MinValue", -1, "not below"), ("MaxValue", 1, "not above")])
def test_every_number_of_the_products_template_is_limited_on_both_sides(
    name: str, limit: str, beyond: int, words: str
) -> None:
    end = TEMPLATE["Parameters"][name][limit]
    assert requirement(TEMPLATE["Parameters"][name], str(end)) is None
    with pytest.raises(BadInput, match=re.escape(f"{words} {end}")):
        set_defaults(TEMPLATE, {name: str(end + beyond)})


@pytest.mark.parametrize(
    ("schedule", "allowed"),
    [
        ("rate(1 minute)", True),
        ("rate(2 hours)", True),
        ("rate(10 days)", True),
        ("cron(0 6 * * ? *)", True),
        ("cron(0/15 8-17 ? * MON-FRI 2026)", True),
        ("cron(0 0 L * ? *)", True),
        ("cron(0 0 ? * 3#1 *)", True),
        ("rate(0)", False),
        ("rate(0 hours)", False),
        ("rate(1 hours)", False),
        ("rate(2 hour)", False),
        ("rate(05 minutes)", False),
        ("rate(1.5 hours)", False),
        ("rate(5 parsecs)", False),
        ("cron(0 6 * * *)", False),
        ("cron(0 6 * * * *)", False),
        ("cron(0 6 ? * ? *)", False),
        ("cron(0 6 * * ? * *)", False),
        ("rate(1 hour) ", False),
    ],
)
def test_a_schedule_is_one_that_eventbridge_takes(schedule: str, allowed: bool) -> None:
    assert (requirement(TEMPLATE["Parameters"]["SnapshotSchedule"], schedule) is None) is allowed
