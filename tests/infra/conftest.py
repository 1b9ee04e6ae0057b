"""The template in its three forms, each made once a session."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.template import MONITORING, load, translated


@pytest.fixture(scope="session")
def template() -> dict[str, Any]:
    """Return the template as it is written (SAM)."""
    return load()


@pytest.fixture(scope="session")
def plain() -> dict[str, Any]:
    """Return what SAM makes of it (CloudFormation)."""
    return translated()


@pytest.fixture(scope="session")
def monitoring() -> dict[str, Any]:
    """Return the nested template of alarms and dashboard."""
    return load(MONITORING)
