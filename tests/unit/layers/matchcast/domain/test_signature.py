"""Features against a model's signature."""

from __future__ import annotations

import math
from typing import Any

import pytest

from matchcast.domain.signature import Column, Signature, signature_from_mlflow
from matchcast.errors import InvalidRequest

SIGNATURE = Signature(
    inputs=(
        Column(name="elo", type="float"),
        Column(name="rest/days", type="long"),
        Column(name="derby", type="boolean"),
        Column(name="form", type="double", required=False),
    )
)
GOOD = {"elo": 1500.5, "rest/days": 3, "derby": True}


def test_a_row_has_the_order_of_the_signature_and_nan_for_what_may_be_absent() -> None:
    row = SIGNATURE.row(dict(reversed(GOOD.items())))

    assert row[:3] == [1500.5, 3.0, 1.0]
    assert math.isnan(row[3])


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"elo": "1500"}, "/features/elo"),
        ({"elo": True}, "/features/elo"),
        ({"elo": None}, "/features/elo"),
        ({"elo": math.inf}, "/features/elo"),
        ({"elo": math.nan}, "/features/elo"),
        ({"elo": 1e39}, "/features/elo"),
        ({"elo": 10**400}, "/features/elo"),
        ({"rest/days": 2.5}, "/features/rest~1days"),
        ({"rest/days": 2**63}, "/features/rest~1days"),
        ({"rest/days": None}, "/features/rest~1days"),
        ({"derby": 1}, "/features/derby"),
        ({"derby": [True]}, "/features/derby"),
        ({"weather": 1.0}, "/features/weather"),
    ],
)
def test_a_feature_that_does_not_fit_is_named_by_its_pointer(changes: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        SIGNATURE.row({**GOOD, **changes})

    assert [error.pointer for error in caught.value.errors] == [pointer]


def test_every_wrong_feature_is_named_at_once() -> None:
    with pytest.raises(InvalidRequest) as caught:
        SIGNATURE.row({"elo": "x", "extra": 1})

    assert {error.pointer for error in caught.value.errors} == {
        "/features/elo",
        "/features/rest~1days",
        "/features/derby",
        "/features/extra",
    }


def test_the_json_schema_demands_what_the_row_demands() -> None:
    schema = SIGNATURE.json_schema()

    assert schema["required"] == ["elo", "rest/days", "derby"]
    assert schema["properties"]["rest/days"] == {"type": "integer"}
    assert schema["additionalProperties"] is False


def test_a_signature_is_read_from_what_mlflow_records() -> None:
    recorded = [{"type": "float", "name": "elo", "required": True}, {"type": "long", "name": "rest"}]

    assert signature_from_mlflow(recorded).names == ("elo", "rest")


@pytest.mark.parametrize("recorded", [[], [{"type": "float"}], [{"type": "string", "name": "team"}]])
def test_a_signature_that_cannot_be_served_is_refused(recorded: list[dict[str, Any]]) -> None:
    with pytest.raises(ValueError, match=r"signature|name|type"):
        signature_from_mlflow(recorded)
