"""What the workers of parts and of batches share, and the worker of parts, of run_inference."""

from __future__ import annotations

from functools import cache

from matchcast.adapters.counted_batches import CountedBatches
from matchcast.adapters.model_loaders import loader_for
from matchcast.batches.fail import FailBatches
from matchcast.batches.finish import FinishParts
from matchcast.batches.plan import PartPlans, Window
from matchcast.batches.run_parts import RunParts
from matchcast.bootstrap import batch_storage, releases, table
from matchcast.domain.task import utc_now
from matchcast.observability import count_requests
from matchcast.ports import ModelLoader, PredictionQueue
from matchcast.releases.pinned_models import PinnedModels, SharedLoader
from matchcast.settings import AttemptSettings, BatchPartsSettings, ModelSettings, TaskSettings


@cache
def loader() -> ModelLoader:
    """Return what loads models, none twice that is still in use."""
    return SharedLoader(loader_for(ModelSettings().model_runtime))


@cache
def records() -> CountedBatches:
    """Return the records of batches, which count the rows of parts that end."""
    return CountedBatches(table.dynamodb(), TaskSettings().tasks_table_name, _count)


@cache
def models() -> PinnedModels:
    """Return models by their exact versions."""
    return PinnedModels(releases.objects(), loader())


@cache
def finish() -> FinishParts:
    """Return what ends parts."""
    return FinishParts(batches=records(), queue=batch_storage.queue(), objects=releases.objects(), now=utc_now)


@cache
def plans() -> PartPlans:
    """Return which parts a generation runs."""
    return PartPlans(releases.objects())


@cache
def window() -> Window:
    """Return what sends parts to the normal lane."""
    return Window(plans(), batch_storage.queue(), BatchPartsSettings().batch_window)


def run_parts(lanes: PredictionQueue) -> RunParts:
    """Return the worker of parts."""
    return RunParts(
        batches=records(),
        queue=batch_storage.queue(),
        objects=releases.objects(),
        lanes=lanes,
        models=models(),
        finish=finish(),
        fail=FailBatches(records(), utc_now),
        window=window(),
        max_attempts=AttemptSettings().max_attempts,
    )


def _count(stage: str, outcome: str, rows: int) -> None:
    count_requests("batch", stage, outcome, rows)
