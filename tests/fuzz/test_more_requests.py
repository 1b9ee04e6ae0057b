"""Hostile requests of the other half of the seeds."""

from __future__ import annotations

from tests.fuzz.test_requests import HALF, assert_clean, run_quietly
from tests.support.examples import examples


def test_no_other_request_makes_a_function_fail_slow_or_long_winded() -> None:
    count = examples(HALF)

    assert_clean(run_quietly(2_000_000_000, count), count)
