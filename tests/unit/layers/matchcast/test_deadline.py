"""The time limit of the running request."""

from __future__ import annotations

import pytest

from matchcast.deadline import briefly, remaining, within


def test_without_a_limit_there_is_none_to_shorten() -> None:
    assert remaining() is None
    with briefly(1):
        assert remaining() is None


def test_of_nested_limits_the_nearest_counts_and_the_outer_one_comes_back() -> None:
    with within(10):
        with within(20):
            assert remaining() == pytest.approx(10, abs=0.5)
        with within(5):
            assert remaining() == pytest.approx(5, abs=0.5)
        assert remaining() == pytest.approx(10, abs=0.5)
    assert remaining() is None


def test_what_a_request_can_do_without_gets_some_seconds_and_a_share_of_what_is_left() -> None:
    with within(100), briefly(3):
        assert remaining() == pytest.approx(3, abs=0.5)
    with within(8), briefly(3):
        assert remaining() == pytest.approx(2, abs=0.5)
    with within(8), briefly(30, share=0.5):
        assert remaining() == pytest.approx(4, abs=0.5)
