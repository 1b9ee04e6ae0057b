"""Values for the template's parameters, checked as CloudFormation, and then the functions, check them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from matchcast_tools.errors import BadInput

NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
WHOLE_NUMBER = re.compile(r"[+-]?[0-9]+")


def set_defaults(template: dict[str, Any], values: Mapping[str, str]) -> None:
    """Make values the defaults of the template's parameters.

    Raises
    ------
    BadInput
        If there is no such parameter, or it does not allow the value.
    """
    parameters = template.get("Parameters", {})
    for name, value in values.items():
        if name not in parameters:
            raise BadInput(f"The template has no parameter {name}; it has {', '.join(sorted(parameters))}.")
        wanted = requirement(parameters[name], value)
        if wanted is not None:
            description = parameters[name].get("Description", "")
            raise BadInput(f"{name} cannot be {value!r}, it has to be {wanted}. {description}".strip())
        parameters[name]["Default"] = value


def requirement(parameter: Mapping[str, Any], value: str) -> str | None:
    """Return what a parameter requires of a value that it does not allow, in words; None if it allows the value."""
    allowed = [str(item) for item in parameter.get("AllowedValues", [])]
    if allowed and value not in allowed:
        return f"one of {', '.join(allowed)}"
    if parameter["Type"] == "Number":
        return _required_number(parameter, value)
    least, most = parameter.get("MinLength", 0), parameter.get("MaxLength", len(value))
    if not int(least) <= len(value) <= int(most):
        return f"from {least} to {most} characters"
    pattern = parameter.get("AllowedPattern", "(?s).*")
    return None if re.fullmatch(pattern, value) else f"like {pattern}"


def _required_number(parameter: Mapping[str, Any], value: str) -> str | None:
    least, most = parameter.get("MinValue"), parameter.get("MaxValue")
    limits = [f"not below {least}"] * (least is not None) + [f"not above {most}"] * (most is not None)
    # CloudFormation has no type for whole numbers. What has a whole default is a count, or seconds, and most functions
    # that are given a fraction of it do not start.
    is_whole = WHOLE_NUMBER.fullmatch(str(parameter.get("Default", ""))) is not None
    wanted = " and ".join(["a whole number" if is_whole else "a number", *limits])
    if not (WHOLE_NUMBER if is_whole else NUMBER).fullmatch(value):
        return wanted
    number = float(value)
    is_inside = (least is None or number >= float(least)) and (most is None or number <= float(most))
    return None if is_inside else wanted
