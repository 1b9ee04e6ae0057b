"""Hostile requests of one half of the seeds; `test_more_requests.py` has the other, for another worker.

A finding names its seed: `make fuzz REPLAY=<seed>` shows that request alone.
"""

from __future__ import annotations

import warnings

from tests.fuzz.runs import Report, run
from tests.support.examples import examples

HALF = 25_000


def run_quietly(first: int, count: int) -> Report:
    """Run the cases from a seed on; the model of the test's world overflows on large features, as models do."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return run(range(first, first + count))


def assert_clean(report: Report, count: int) -> None:
    assert report.findings == {}, "replay a seed with: make fuzz REPLAY=<seed>"
    assert sum(report.statuses.values()) == count
    # The cases are no use if most are refused at the door: every kind of answer is among them.
    assert {200, 202, 304, 400, 404, 405, 409, 410, 413, 415, 422, 504} <= set(report.statuses)
    assert report.statuses[200] > count / 10


def test_no_request_makes_a_function_fail_slow_or_long_winded() -> None:
    count = examples(HALF)

    assert_clean(run_quietly(1_000_000, count), count)
