"""Features against a model's signature."""

from __future__ import annotations

import json
import math
from typing import Any

import jsonschema
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from matchcast.domain.signature import Column, Signature, signature_from_mlflow
from matchcast.errors import InvalidRequest

LARGEST = 3.4028234663852886e38
"""The largest float32."""
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
    # WHEN features are wrong, missing and unknown
    with pytest.raises(InvalidRequest) as caught:
        SIGNATURE.row({"elo": "x", "extra": 1})

    # THEN
    assert {error.pointer for error in caught.value.errors} == {
        "/features/elo",
        "/features/rest~1days",
        "/features/derby",
        "/features/extra",
    }


def test_the_json_schema_demands_what_the_row_demands() -> None:
    # WHEN
    schema = SIGNATURE.json_schema()

    # THEN
    assert schema["required"] == ["elo", "rest/days", "derby"]
    assert schema["properties"] == {
        "elo": {"type": "number", "minimum": -LARGEST, "maximum": LARGEST},
        "rest/days": {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
        "derby": {"type": "boolean"},
        "form": {"anyOf": [{"type": "number", "minimum": -LARGEST, "maximum": LARGEST}, {"type": "null"}]},
    }
    assert schema["additionalProperties"] is False


COLUMN = st.builds(
    Column,
    name=st.text(max_size=6),
    type=st.sampled_from(["float", "double", "integer", "long", "boolean"]),
    required=st.booleans(),
)
SIGNATURES = st.lists(COLUMN, min_size=1, max_size=4, unique_by=lambda column: column.name).map(
    lambda columns: Signature(inputs=tuple(columns))
)
EDGES = [0, 1, LARGEST, 2**31, 2**63, 2**53, 3.4028235677973366e38, 10**39, 10**400, 0.5]
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-100, 100).map(float),
    st.builds(
        lambda edge, sign, step: sign * edge + step,
        st.sampled_from(EDGES),
        st.sampled_from([1, -1]),
        st.sampled_from([0, 1, -1]),
    ),
    st.text(max_size=2),
    st.lists(st.integers(), max_size=1),
    st.dictionaries(st.text(max_size=1), st.integers(), max_size=1),
)


@st.composite
def signatures_and_features(draw: st.DrawFn) -> tuple[Signature, dict[str, Any]]:
    """Draw a signature, and features that often fit it."""
    signature = draw(SIGNATURES)
    fitting: dict[str, st.SearchStrategy[Any]] = {
        "boolean": st.booleans(),
        "integer": st.integers(-(2**31), 2**31 - 1),
        "long": st.integers(-(2**63), 2**63 - 1),
        "float": st.floats(width=32, allow_nan=False, allow_infinity=False),
        "double": st.floats(-LARGEST, LARGEST),
    }
    features = {
        column.name: draw(fitting[column.type] if draw(st.integers(0, 3)) else VALUES)
        for column in signature.inputs
        if draw(st.integers(0, 7))
    }
    if not draw(st.integers(0, 7)):
        features[draw(st.text(max_size=6))] = draw(VALUES)
    return signature, features


@given(signatures_and_features())
@settings(max_examples=500, deadline=None)
def test_the_json_schema_accepts_what_the_row_accepts_and_nothing_else(
    case: tuple[Signature, dict[str, Any]],
) -> None:
    # GIVEN a signature with its schema, and features
    signature, features = case
    schema = signature.json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    # What a client sends is JSON.
    features = json.loads(json.dumps(features))

    # WHEN the schema and the signature check the features
    # THEN both accept or both refuse them
    valid = jsonschema.Draft202012Validator(schema).is_valid(features)
    event(f"accepted: {valid}")
    try:
        row = signature.row(features)
    except InvalidRequest:
        assert not valid
    else:
        assert valid
        assert len(row) == len(signature.inputs)
        assert all(abs(value) <= LARGEST or math.isnan(value) or value <= 2**63 for value in row)


@pytest.mark.parametrize(
    ("kind", "value", "accepted"),
    [
        ("integer", -(2**31), True),
        ("integer", -(2**31) - 1, False),
        ("integer", 2**31 - 1, True),
        ("integer", 2**31, False),
        ("integer", 3.0, True),
        ("long", -(2**63), True),
        ("long", 2**63 - 1, True),
        ("long", float(2**63), False),
        ("float", LARGEST, True),
        ("float", -LARGEST, True),
        ("float", 3.4028235677973366e38, False),
        ("double", 10**38, True),
        ("double", 10**39, False),
        ("boolean", False, True),
        ("boolean", 0, False),
    ],
)
def test_row_and_schema_agree_at_the_ends_of_the_ranges(kind: Any, value: Any, accepted: bool) -> None:
    signature = Signature(inputs=(Column(name="a", type=kind),))
    assert jsonschema.Draft202012Validator(signature.json_schema()).is_valid({"a": value}) is accepted
    if accepted:
        assert signature.row({"a": value}) == [float(value)]
    else:
        with pytest.raises(InvalidRequest):
            signature.row({"a": value})


@pytest.mark.parametrize(
    ("kind", "accepted"), [("float", True), ("double", True), ("integer", False), ("boolean", False)]
)
def test_of_the_features_that_may_be_absent_only_floats_may_be_null(kind: Any, accepted: bool) -> None:
    # GIVEN a signature with one optional feature
    signature = Signature(inputs=(Column(name="a", type=kind, required=False),))
    validator = jsonschema.Draft202012Validator(signature.json_schema())

    # WHEN the feature is absent
    # THEN
    assert validator.is_valid({})
    assert math.isnan(signature.row({})[0])

    # WHEN the feature is null
    # THEN
    assert validator.is_valid({"a": None}) is accepted
    if not accepted:
        with pytest.raises(InvalidRequest, match="signature") as caught:
            signature.row({"a": None})
        assert [error.pointer for error in caught.value.errors] == ["/features/a"]


def test_a_signature_is_read_from_what_mlflow_records() -> None:
    recorded: list[dict[str, Any]] = [
        {"type": "float", "name": "elo", "required": True},
        {"type": "long", "name": "rest"},
    ]

    assert signature_from_mlflow(recorded).names == ("elo", "rest")


@pytest.mark.parametrize("recorded", [[], [{"type": "float"}], [{"type": "string", "name": "team"}]])
def test_a_signature_that_cannot_be_served_is_refused(recorded: list[dict[str, Any]]) -> None:
    with pytest.raises(ValueError, match=r"signature|name|type"):
        signature_from_mlflow(recorded)
