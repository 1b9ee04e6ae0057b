"""Snapshots by a batch that failed: a reason, no snapshot, and another try of what may pass."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from matchcast.domain.batch import BatchKeys, BatchStatus
from matchcast.domain.signature import Column, Signature
from matchcast.domain.task import TaskError
from matchcast.errors import PredictionsPending, ReleaseRefused
from matchcast.releases.served_models import LoadedModel
from tests.support.datasets import FEATURES
from tests.support.refreshes import NOW, model
from tests.support.releases import SNAPSHOT_ID
from tests.support.snapshots_by_batch import Make, another, direct, served


def broken_at_work(rows: int) -> LoadedModel:
    """Return the model, whose answers to the first rows of a part are none, as long as parts are of 40 rows."""

    def change(found: Any) -> Any:
        if len(found) == 40:
            found[:rows] = np.nan
        return found

    return model(change)


def test_failed_rows_refuse_the_snapshot_and_run_again(stack_with: Make, data_dir: Path) -> None:
    # GIVEN workers that fail for some rows
    stack = stack_with(at_work=lambda: broken_at_work(1))
    # WHEN
    with pytest.raises(ReleaseRefused) as refused:
        stack.refresh()
    # THEN it says which, and why
    assert "has 5 failed rows of " in refused.value.detail
    assert "model-failed, The model gives no probabilities for this row" in refused.value.detail
    assert "What failed runs again" in refused.value.detail
    # AND the next invocation goes on with the same batch
    assert stack.refresh() == direct(data_dir)
    [batch] = stack.made
    assert batch.generation == 1


def test_rows_that_fail_again_and_again_refuse_every_snapshot_and_make_no_other_batch(stack_with: Make) -> None:
    stack = stack_with(at_work=lambda: model(lambda found: np.where(found > 0.8, np.nan, found)))
    for _ in range(3):
        with pytest.raises(ReleaseRefused, match="model-failed"):
            stack.refresh()
    assert len(stack.made) == 1
    assert served(stack).snapshot_id == SNAPSHOT_ID


def test_features_that_the_signature_does_not_take_are_not_tried_again(stack_with: Make) -> None:
    # GIVEN a model of whole numbers, and features that are none
    loaded = model()
    whole = Signature(inputs=tuple(Column(name=name, type="long") for name in FEATURES))
    stack = stack_with(champion=replace(loaded, published=loaded.published.model_copy(update={"signature": whole})))
    # THEN
    for _ in range(2):
        with pytest.raises(ReleaseRefused, match=r"invalid-row, Send a whole number.* It would fail again: mend"):
            stack.refresh()
    [batch] = stack.made
    assert batch.generation == 0


def test_a_batch_that_failed_as_a_whole_runs_again(stack_with: Make, data_dir: Path) -> None:
    # GIVEN
    stack = stack_with(asks_left=1)
    with pytest.raises(PredictionsPending):
        stack.refresh()
    lost = TaskError(code="dead-lettered", detail="It was started several times.")
    failed = stack.made[0].model_copy(update={"status": BatchStatus.FAILED, "error": lost, "completed_at": NOW})
    stack.queue.messages.clear()
    assert stack.records.change(failed, [BatchStatus.QUEUED, BatchStatus.RUNNING])
    # WHEN
    stack.asks_left = 10**6
    with pytest.raises(ReleaseRefused, match=r"failed: dead-lettered, It was started several times\."):
        stack.refresh()
    # THEN
    assert stack.refresh() == direct(data_dir)
    assert len(stack.made) == 1


def test_a_batch_that_expired_is_made_anew(stack_with: Make, data_dir: Path) -> None:
    # GIVEN one whose messages are lost
    stack = stack_with(asks_left=0)
    with pytest.raises(PredictionsPending):
        stack.refresh()
    stack.queue.messages.clear()
    # WHEN it has expired
    stack.now += timedelta(days=1)
    stack.asks_left = 10**6
    manifest = stack.refresh()
    # THEN
    assert manifest.files == direct(data_dir).files
    assert [batch.status for batch in stack.made] == [BatchStatus.QUEUED, BatchStatus.SUCCEEDED]


def test_workers_with_another_model_are_found_out(stack_with: Make) -> None:
    stack = stack_with(at_work=another)
    with pytest.raises(ReleaseRefused, match="has others than the model gives here"):
        stack.refresh()


def test_a_model_without_probabilities_gets_no_batch(stack_with: Make) -> None:
    stack = stack_with(champion=model(lambda found: found * 1.01))
    with pytest.raises(ReleaseRefused, match="gives invalid probabilities"):
        stack.refresh()
    assert stack.made == []


def test_an_output_file_that_is_missing_refuses_the_snapshot(stack_with: Make) -> None:
    stack = stack_with()
    stack.refresh()
    stack.raw.delete([BatchKeys(stack.made[0].batch_id).output(0)])
    with pytest.raises(ReleaseRefused, match=r"output file of the batch \S+ is missing"):
        stack.refresh()
