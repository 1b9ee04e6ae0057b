"""Unit tests open no socket, and leave the environment as they found it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from pytest_socket import disable_socket, enable_socket


@pytest.fixture(autouse=True)
def _sockets_off(request: pytest.FixtureRequest) -> Iterator[None]:
    """Refuse sockets, but for a test that says it needs one with `enable_socket`."""
    if request.node.get_closest_marker("enable_socket") is None:
        disable_socket(allow_unix_socket=True)
    yield
    enable_socket()


@pytest.fixture(autouse=True)
def _environment_restored() -> Iterator[None]:
    """Undo what a test, or the code under test, does to the environment."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)
