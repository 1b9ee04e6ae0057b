"""What commands print for programs."""

from __future__ import annotations

import json
import math
from datetime import date

import pytest

from matchcast_tools.cli.output import answer


def fail() -> None:
    raise AssertionError("the answer is shown to people, too")


def test_a_number_that_is_not_finite_is_null_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    content = {"loss": math.inf, "seasons": [{"loss": math.nan}, {"loss": 0.5}], "interval": (1.0, -math.inf, 2)}

    answer(content, fail, as_json=True)

    printed = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert printed == {"loss": None, "seasons": [{"loss": None}, {"loss": 0.5}], "interval": [1.0, None, 2]}


def test_a_date_is_iso_8601_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    answer({"day": date(2026, 5, 31)}, fail, as_json=True)

    assert json.loads(capsys.readouterr().out) == {"day": "2026-05-31"}
