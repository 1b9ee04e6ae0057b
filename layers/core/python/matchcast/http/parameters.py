"""Types of parameters that several functions have."""

from __future__ import annotations

from typing import Any

from pydantic import BeforeValidator

_MOST_DIGITS = 9


def _whole(value: Any) -> Any:
    # pydantic would also take 1.0, 1_0, +1 and spaces around them.
    if isinstance(value, str) and not (value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS):
        raise ValueError("send a whole number like 50")
    return value


def _boolean(value: Any) -> Any:
    # pydantic would also take 1, yes and ON.
    if isinstance(value, str) and value not in ("true", "false"):
        raise ValueError("send true or false")
    return value


TRUE_OR_FALSE = BeforeValidator(_boolean)
"""Put it on a boolean, `Annotated[bool, TRUE_OR_FALSE]`, and it is written as in JSON."""
DIGITS_ALONE = BeforeValidator(_whole)
"""Put it after the bounds, `Annotated[int, Field(ge=1, le=9), DIGITS_ALONE]`, or the document does not show them."""
