"""Clients of a stack that is up give up soon where its engine hangs."""

from __future__ import annotations

import socket
import time

import pytest
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError

from matchcast_tools.stack import sessions
from matchcast_tools.stack.sessions import ATTEMPTS, READ_SECONDS, BriefSession, laptop_session


@pytest.mark.enable_socket
def test_an_engine_that_hangs_is_given_up_after_two_short_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    monkeypatch.setattr(sessions, "READ_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as hung:
        client = BriefSession(laptop_session(hung.getsockname()[1])).client("sqs")
        started = time.monotonic()

        # WHEN
        with pytest.raises(ReadTimeoutError):
            client.list_queues()

    # THEN
    assert time.monotonic() - started < 10
    assert READ_SECONDS * ATTEMPTS <= 10


def test_a_call_that_takes_long_keeps_its_own_limits() -> None:
    own = Config(read_timeout=905, retries={"total_max_attempts": 1})

    config = BriefSession(laptop_session(1)).client("lambda", config=own).meta.config

    assert config.read_timeout == 905
    assert config.retries["total_max_attempts"] == 1
