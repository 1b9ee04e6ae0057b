"""A dataset, and stacks whose snapshots of it are made by batches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from matchcast_tools.dataset.upload import publish_dataset
from tests.support.datasets import write_dataset
from tests.support.refreshes import NOW
from tests.support.snapshots_by_batch import LargeSnapshots


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data"))


@pytest.fixture
def stack_with(data_dir: Path) -> Callable[..., LargeSnapshots]:
    """Return a function that makes a stack with a dataset."""

    def make(**options: Any) -> LargeSnapshots:
        stack = LargeSnapshots(now=NOW, **options)
        publish_dataset(stack.raw, data_dir, NOW)
        return stack

    return make
