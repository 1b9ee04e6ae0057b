"""Snapshots by a batch: the same bytes as without one, whatever happens in between."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from matchcast.batch_messages import SplitBatch
from matchcast.domain.batch import SNAPSHOTS_TENANT, BatchStatus
from matchcast.domain.task import is_task_id
from matchcast.errors import PredictionsPending, ReleaseRaceLost, StorageUnavailable
from matchcast.http import tokens
from matchcast.releases.served_models import LoadedModel
from matchcast.snapshots.due_predictions import probabilities
from tests.support.batch_flow import Trip
from tests.support.batches import InMemoryBatches
from tests.support.datasets import FEATURES
from tests.support.refreshes import NOW, model, table
from tests.support.releases import SNAPSHOT_ID
from tests.support.snapshots_by_batch import LargeSnapshots, Make, another, direct, served


def test_a_snapshot_by_a_batch_is_byte_for_byte_the_one_without(stack_with: Make, data_dir: Path) -> None:
    # GIVEN
    stack = stack_with()
    # WHEN
    manifest = stack.refresh()
    # THEN
    assert manifest == direct(data_dir)
    # AND a batch of several parts made it
    [batch] = stack.made
    assert (batch.status, batch.parts) == (BatchStatus.SUCCEEDED, 6)
    assert batch.total == manifest.files["predictions.parquet"].rows
    assert stack.slept > 0


def test_a_batch_of_a_snapshot_belongs_to_nobody_who_has_a_token(stack_with: Make) -> None:
    # WHEN
    stack = stack_with(asks_left=1)
    with pytest.raises(PredictionsPending):
        stack.refresh()
    # THEN
    [batch] = stack.made
    assert batch.tenant == SNAPSHOTS_TENANT
    assert is_task_id(batch.batch_id)
    assert tokens.TENANT.fullmatch(SNAPSHOTS_TENANT) is None
    assert stack.track.list("north").batches == []
    assert stack.records.count_open("north", NOW, 10) == 0
    assert batch.expires_at == NOW + timedelta(days=1)


@pytest.mark.parametrize("after", [False, True], ids=["fails", "answer lost"])
def test_whatever_call_fails_the_next_invocation_goes_on_with_the_same_batch(after: bool) -> None:
    # GIVEN
    rows = np.random.default_rng(1).normal(size=(90, len(FEATURES))).astype(np.float32)
    match_ids = [f"e0-2026-03-07-alder-{number}" for number in range(len(rows))]
    expected = probabilities(model(), rows)
    usual = LargeSnapshots()
    usual.predict_matches().predict(model(), match_ids, rows)
    assert usual.trip.calls > 30
    for at in range(1, usual.trip.calls + 1):
        stack = LargeSnapshots(trip=Trip(at, after))
        # WHEN an invocation ends with an error, and another one comes
        try:
            found = stack.predict_matches().predict(model(), match_ids, rows)
        except StorageUnavailable:
            found = stack.predict_matches().predict(model(), match_ids, rows)
        # THEN
        np.testing.assert_array_equal(found, expected)
        [batch] = stack.made
        assert (batch.status, batch.generation) == (BatchStatus.SUCCEEDED, 0), at
        assert stack.trip.calls >= at, "a call that was never made cannot have failed"


def test_other_features_and_other_matches_are_other_batches() -> None:
    # GIVEN
    stack = LargeSnapshots()
    rows = np.random.default_rng(1).normal(size=(50, len(FEATURES))).astype(np.float32)
    match_ids = [f"e0-2026-03-07-alder-{number}" for number in range(len(rows))]
    for names, values in ((match_ids, rows), (match_ids, rows + 1), (match_ids[::-1], rows), (match_ids, rows)):
        # WHEN
        found = stack.predict_matches().predict(model(), names, values)
        # THEN
        np.testing.assert_array_equal(found, probabilities(model(), values))
    assert len(stack.made) == 3


def test_a_request_that_was_kept_is_not_made_again() -> None:
    # GIVEN an invocation that died after it had kept the request: neither message nor record
    stack = LargeSnapshots()
    rows = np.zeros((50, len(FEATURES)), dtype=np.float32)
    match_ids = [f"e0-2026-03-07-alder-{number}" for number in range(len(rows))]
    stack.predict_matches().predict(model(), match_ids, rows)
    [before] = stack.made
    stack.records = InMemoryBatches()
    stack.works = False
    stack.asks_left = 0
    stack.uploads.upload = lambda *_: pytest.fail("the input is there")  # type: ignore[method-assign]
    # WHEN
    with pytest.raises(PredictionsPending):
        stack.predict_matches().predict(model(), match_ids, rows)
    # THEN
    assert [batch.batch_id for batch in stack.made] == [before.batch_id]
    assert stack.queue.bodies == [SplitBatch(batch_id=before.batch_id, tenant=SNAPSHOTS_TENANT)]


def test_what_one_invocation_cannot_wait_for_the_next_one_takes(stack_with: Make, data_dir: Path) -> None:
    # GIVEN an invocation whose time ends while parts run
    stack = stack_with(asks_left=5)
    with pytest.raises(PredictionsPending, match=r"has made \d+ of \d+ predictions. The next refresh goes on."):
        stack.refresh()
    assert served(stack).snapshot_id == SNAPSHOT_ID
    [batch] = stack.made
    assert not batch.status.is_final
    # WHEN the parts have ended meanwhile
    stack.settle()
    stack.slept = 0
    manifest = stack.refresh()
    # THEN it waits for nothing
    assert manifest == direct(data_dir)
    assert [each.batch_id for each in stack.made] == [batch.batch_id]
    assert stack.slept == 0
    # AND so does every later one of the same dataset
    stack.refresh()
    assert len(stack.made) == 1


def test_a_release_in_the_middle_makes_another_batch(stack_with: Make, data_dir: Path) -> None:
    # GIVEN a batch of version 7 that runs
    stack = stack_with(asks_left=5)
    with pytest.raises(PredictionsPending):
        stack.refresh()
    [old] = stack.made
    # WHEN version 8 is published
    stack.champion = another()
    stack.present = stack.champion.published
    old_model, new_model = model(), stack.champion
    by_version = {old.batch_id: old_model}
    stack.run_part = lambda message: run_with(stack, by_version.get(message.batch_id, new_model), message)  # type: ignore[method-assign]
    stack.asks_left = 10**6
    manifest = stack.refresh()
    stack.settle()
    # THEN the snapshot is of version 8 alone
    assert manifest == direct(data_dir, new_model)
    assert set(table(stack.raw, manifest, "predictions.parquet")["model_version"].to_pylist()) == {"8"}
    # AND the batch of version 7 ended by itself
    assert sorted(batch.provenance.model.version for batch in stack.made) == ["7", "8"]
    assert {batch.status for batch in stack.made} == {BatchStatus.SUCCEEDED}


def run_with(stack: LargeSnapshots, loaded: LoadedModel, message: Any) -> None:
    """Run a part with a version of the model."""
    stack.at_work = lambda: loaded
    LargeSnapshots.run_part(stack, message)


def test_a_release_while_it_waits_ends_the_invocation(stack_with: Make) -> None:
    # GIVEN
    stack = stack_with()
    sleep = stack.sleep

    def release(_: float) -> None:
        sleep(0)
        stack.present = another().published

    stack.sleep = release  # type: ignore[method-assign]
    # WHEN
    with pytest.raises(ReleaseRaceLost, match="Another version was published"):
        stack.refresh()
    # THEN
    assert stack.slept == 1
    assert served(stack).snapshot_id == SNAPSHOT_ID
