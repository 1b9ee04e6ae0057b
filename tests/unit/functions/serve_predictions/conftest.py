"""serve_predictions, asked as API Gateway asks it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from functions.serve_predictions.handler import lambda_handler
from tests.support.documented import ask
from tests.support.http_events import Answer
from tests.support.serving import Service
from tests.support.snapshots import put_snapshot


@pytest.fixture
def empty(monkeypatch: pytest.MonkeyPatch) -> Service:
    """A service without a snapshot."""
    return Service(monkeypatch)


@pytest.fixture
def service(empty: Service) -> Service:
    """A service with a snapshot."""
    put_snapshot(empty.objects)
    return empty


@pytest.fixture
def get() -> Callable[..., Answer]:
    """GET a path of the function."""
    return partial(ask, lambda_handler, "GET")
