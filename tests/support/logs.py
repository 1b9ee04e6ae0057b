"""What a function logs, line by line."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

from matchcast.observability import logger

if TYPE_CHECKING:
    import pytest


class Logged(io.StringIO):
    """A stream in place of standard output."""

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Return the structured lines written so far."""
        return [json.loads(line) for line in self.getvalue().splitlines()]


def capture_logs(monkeypatch: pytest.MonkeyPatch) -> Logged:
    """Send the product's log to the returned stream; the logger took hold of standard output when it was imported."""
    stream = Logged()
    monkeypatch.setattr(logger.registered_handler, "stream", stream)
    return stream
