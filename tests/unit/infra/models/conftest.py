"""One dataset and one MLflow store for all tests of models: making a store takes seconds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.models.registry import RegisteredModel, load
from infra.models.tracking import Tracking
from infra.models.train import Trained, train
from tests.support.datasets import write_dataset


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset that tests read only."""
    return write_dataset(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tracking]:
    """A SQLite store of these tests' own; what connecting puts into the environment is taken out at the end."""
    before = dict(os.environ)
    yield Tracking.at(tmp_path_factory.mktemp("mlflow"))
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def trained(data_dir: Path, tracking: Tracking) -> Trained:
    """The first version in the store, under the three usual aliases."""
    return train(data_dir, hold_out_last_season=True, tracking=tracking)


@pytest.fixture(scope="session")
def champion(trained: Trained, tracking: Tracking) -> RegisteredModel:
    """The trained version, loaded from the registry."""
    return load("champion", tracking)
