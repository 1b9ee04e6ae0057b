"""`pytest tests/conformance --sender NAME`: which sender is tested."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance.bench import Bench
from tests.conformance.job import load_sender
from tests.conformance.receiver import receiver

OURS = "tests.conformance.room:deliver"
SCALED_SECONDS = 0.5


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("conformance", "senders of Standard Webhooks")
    group.addoption("--sender", help=f"module:function, or a command (default: {OURS})")
    group.addoption("--sender-timeout", type=float, help=f"seconds of one attempt (default: {SCALED_SECONDS})")
    group.addoption("--sender-patience", type=float, help="seconds that a command may take for one job (default: 60)")


@pytest.fixture
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Put the sender and a receiver together."""
    name = request.config.getoption("--sender", None) or OURS
    timeout = request.config.getoption("--sender-timeout", None) or SCALED_SECONDS
    patience = request.config.getoption("--sender-patience", None) or 60.0
    with receiver() as receives:
        yield Bench(load_sender(name, patience), receives, timeout)
