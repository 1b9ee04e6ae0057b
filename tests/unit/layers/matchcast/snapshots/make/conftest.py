"""A small dataset, as files and as a bucket has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from matchcast.adapters.in_memory import InMemoryObjects
from matchcast_tools.dataset.upload import publish_dataset
from tests.support.datasets import write_dataset
from tests.support.refreshes import FIXTURES, NOW


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data"), fixtures=FIXTURES)


@pytest.fixture
def objects(data_dir: Path) -> InMemoryObjects:
    """A bucket with a published dataset."""
    objects = InMemoryObjects()
    publish_dataset(objects, data_dir, NOW)
    return objects
