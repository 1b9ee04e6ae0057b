from __future__ import annotations

import pytest

from tests.support.managed_batches import ManagedBatches


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> ManagedBatches:
    return ManagedBatches(monkeypatch)
