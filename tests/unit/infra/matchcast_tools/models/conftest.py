"""A store to promote from, a bucket that serves its champion, and publishing from the session's store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sklearn.linear_model import LogisticRegression

from matchcast.adapters.in_memory import InMemoryObjects
from matchcast_tools.models.publish import Publication, publish_models
from matchcast_tools.models.release_run import ReleaseRun
from matchcast_tools.models.tracking import Tracking
from matchcast_tools.models.train import Trained, train
from matchcast_tools.models.training_set import read_training_set
from tests.support.datasets import write_dataset
from tests.support.mlflow_models import register
from tests.support.promotions import NOW, UNTIL, Registry
from tests.support.served import STAGES


@pytest.fixture(scope="session")
def promotion_store(tmp_path_factory: pytest.TempPathFactory, new_store: Callable[[], Tracking]) -> Registry:
    """Two good versions, one with home and away mixed up, one that has seen everything, one without a last day."""
    data_dir = write_dataset(tmp_path_factory.mktemp("promote"), played=1500)
    tracking = new_store()
    for alias, start in (("good", None), ("equal", date(2022, 9, 15))):
        train(data_dir, from_day=start, until_day=UNTIL, aliases=[alias], tracking=tracking)
    train(data_dir, aliases=["all-seeing"], tracking=tracking)
    matches = read_training_set(data_dir, until_day=UNTIL)
    mixed_up = LogisticRegression().fit(matches.rows, 2 - matches.outcomes)
    register(tracking, mixed_up, name="matchcast", alias="mixed-up", tags={"trained_until": UNTIL.isoformat()})
    silent = LogisticRegression().fit(matches.rows, matches.outcomes)
    register(tracking, silent, name="matchcast", alias="silent")
    return Registry(tracking, data_dir)


@pytest.fixture
def registry(promotion_store: Registry) -> Registry:
    """The store as every test finds it: an equal candidate next to the champion."""
    promotion_store.name("champion", like="good")
    promotion_store.name("candidate", like="equal")
    return promotion_store


@pytest.fixture
def objects(registry: Registry) -> InMemoryObjects:
    """A bucket that serves the champion, and the same as smoke."""
    objects = InMemoryObjects()
    registry.name("smoke", like="good")
    registry.publish(objects, "champion", "smoke")
    return objects


@pytest.fixture
def publish_to(trained: Trained, tracking: Tracking, data_dir: Path) -> Callable[..., Publication]:
    """`publish_models` with this session's store and dataset."""

    def run(
        objects: InMemoryObjects,
        stages: Any = STAGES,
        keep_others: bool = False,
        without_matches: bool = False,
        **options: Any,
    ) -> Publication:
        run = ReleaseRun(objects=objects, tracking=tracking, now=NOW, **options)
        return publish_models(run, stages, keep_others=keep_others, data_dir=data_dir, without_matches=without_matches)

    return run
