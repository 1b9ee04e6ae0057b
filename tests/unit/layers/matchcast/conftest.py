"""What the tests of releases and snapshots share."""

from __future__ import annotations

import pytest

from tests.support.counted_releases import Clock, CountingObjects


@pytest.fixture
def objects() -> CountingObjects:
    return CountingObjects()


@pytest.fixture
def clock() -> Clock:
    return Clock()
