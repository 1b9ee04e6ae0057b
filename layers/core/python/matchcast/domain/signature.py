"""A model's input signature, as MLflow records it, and the check of a caller's features against it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from matchcast.errors import FieldError, InvalidRequest

ColumnType = Literal["float", "double", "integer", "long", "boolean"]

_JSON_TYPE = {"float": "number", "double": "number", "integer": "integer", "long": "integer", "boolean": "boolean"}
_DTYPE = {"float": "float32", "double": "float64", "integer": "int32", "long": "int64", "boolean": "bool"}
# The largest float32: what is beyond it would reach the model as infinity.
_FLOAT32_MAX = 3.4028234663852886e38
_RANGE: dict[str, tuple[float, float]] = {
    "float": (-_FLOAT32_MAX, _FLOAT32_MAX),
    "double": (-_FLOAT32_MAX, _FLOAT32_MAX),
    "integer": (-(2**31), 2**31 - 1),
    "long": (-(2**63), 2**63 - 1),
}


class Column(BaseModel):
    """One input column: its name, its MLflow type, and whether it must be there."""

    model_config = ConfigDict(frozen=True)

    name: str
    type: ColumnType
    required: bool = True

    @property
    def dtype(self) -> str:
        """Return the name of the numpy type that a model expects in this column."""
        return _DTYPE[self.type]

    @property
    def range(self) -> tuple[float, float] | None:
        """Return the least and the greatest number of the type; None for booleans."""
        return _RANGE.get(self.type)

    @property
    def is_whole(self) -> bool:
        """Return whether the type has whole numbers alone."""
        return self.type in ("integer", "long")

    def refuse(self, value: object) -> str | None:
        """Return why a value, as parsed from JSON, does not fit this column, or None if it does."""
        expected = _JSON_TYPE[self.type]
        if self.type == "boolean":
            return None if isinstance(value, bool) else f"Send a {expected}, not {_kind(value)}."
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"Send a {expected}, not {_kind(value)}."
        lowest, highest = _RANGE[self.type]
        if not self.is_whole:
            # Rows reach the model as float32, whatever the width in the signature.
            return None if lowest <= value <= highest else "Send a finite number within the range of a 32-bit float."
        if isinstance(value, float) and not value.is_integer():
            return "Send a whole number."
        return None if lowest <= value <= highest else "The number is too large for the feature's type."

    def refuse_absence(self, missing: str = "is missing") -> str:
        """Return what to say of a feature that has to be there."""
        return f"The feature {missing}; send a {_JSON_TYPE[self.type]}."


class Signature(BaseModel):
    """The inputs of a model, in the order in which it expects them."""

    model_config = ConfigDict(frozen=True)

    inputs: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Return the column names in the model's order."""
        return tuple(column.name for column in self.inputs)

    def row(self, features: Mapping[str, Any], at: str = "/features") -> list[float]:
        """Return the features as one row of floats in the model's order; an absent optional one is NaN.

        Parameters
        ----------
        features
            Column name to value, as parsed from JSON.
        at
            JSON Pointer of the mapping, for the errors.

        Raises
        ------
        InvalidRequest
            With one error per missing, unknown or badly typed column.
        """
        known = set(self.names)
        errors = [
            FieldError(pointer=f"{at}/{escape_pointer(name)}", detail="The model has no such feature; leave it out.")
            for name in features
            if name not in known
        ]
        row: list[float] = []
        for column in self.inputs:
            pointer = f"{at}/{escape_pointer(column.name)}"
            value = features.get(column.name)
            if value is None:
                if column.required or (column.type in ("integer", "long", "boolean") and column.name in features):
                    missing = "is null" if column.name in features else "is missing"
                    errors.append(FieldError(pointer=pointer, detail=column.refuse_absence(missing)))
                row.append(math.nan)
            elif (reason := column.refuse(value)) is not None:
                errors.append(FieldError(pointer=pointer, detail=reason))
            else:
                row.append(float(value))
        if errors:
            raise InvalidRequest("The features do not fit the signature of the model.", errors)
        return row

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema (2020-12) of the features objects that `row` accepts, of those and no others."""
        return {
            "type": "object",
            "properties": {column.name: _schema(column) for column in self.inputs},
            "required": [column.name for column in self.inputs if column.required],
            "additionalProperties": False,
        }


def signature_from_mlflow(inputs: Sequence[Mapping[str, Any]]) -> Signature:
    """Build a signature from the `inputs` list of MLflow's signature JSON.

    Raises
    ------
    ValueError
        If there is no input, a column has no name, or a type cannot be served.
    """
    if not inputs:
        raise ValueError("the signature has no inputs")
    return Signature(inputs=tuple(Column.model_validate(_known(column)) for column in inputs))


def escape_pointer(name: str) -> str:
    """Escape one reference token of a JSON Pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def _known(column: Mapping[str, Any]) -> dict[str, Any]:
    return {key: column[key] for key in ("name", "type", "required") if key in column}


def _schema(column: Column) -> dict[str, Any]:
    """Return the JSON Schema of one column's values."""
    kind = _JSON_TYPE[column.type]
    if column.type == "boolean":
        return {"type": kind}
    lowest, highest = _RANGE[column.type]
    number = {"type": kind, "minimum": lowest, "maximum": highest}
    if column.is_whole:
        return number
    # A missing number is NaN to the model; integers and booleans have no such value.
    return number if column.required else {"anyOf": [number, {"type": "null"}]}


def _kind(value: object) -> str:
    kinds = {bool: "a boolean", str: "a string", list: "an array", dict: "an object"}
    return kinds.get(type(value), "this")
