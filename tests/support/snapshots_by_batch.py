"""Snapshots whose predictions a batch makes: the refresh, and workers that go on while it waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.batch_messages import RunPart
from matchcast.batches.part_files import NO_ERRORS, in_row_order
from matchcast.batches.predict_matches import PredictMatches
from matchcast.batches.predict_rows import predict_rows
from matchcast.domain.batch import Batch
from matchcast.domain.manifests import PublishedModel, SnapshotManifest
from matchcast.releases.served_models import LoadedModel
from matchcast_tools.dataset.upload import publish_dataset
from tests.support.batch_flow import Flow, a_folder
from tests.support.refreshes import NOW as TODAY
from tests.support.refreshes import Softmax, model, refresh
from tests.support.tasks import NOW


@dataclass
class LargeSnapshots(Flow):
    """A stack whose snapshots are large: of every one the predictions are a batch, in parts of `size` matches.

    `champion` is published and makes snapshots here; workers run `at_work`, which is the same unless a test says
    otherwise.
    """

    size: int = 40
    champion: LoadedModel = field(default_factory=model)
    at_work: Callable[[], LoadedModel] | None = None
    works: bool = True
    slept: int = 0
    asks_left: int = 10**6

    def __post_init__(self) -> None:
        super().__post_init__()
        self.present: PublishedModel = self.champion.published

    def get(self, published: PublishedModel, stage: str) -> LoadedModel:
        """Return the model of the workers, of the version that was pinned."""
        loaded = self.at_work() if self.at_work else self.champion
        return LoadedModel(published, loaded.model, stage, NOW)

    def run_part(self, message: RunPart) -> None:
        """Run a part, as `RunParts` does."""
        opened = self.finish.open(message.batch_id, message.generation, message.number)
        if opened is None:
            return
        batch, before = opened
        self.lane.go_on(batch, message.position)
        rows, earlier = self.finish.rows(batch, message.number), self.finish.earlier_output(batch, before)
        places = rows.without(earlier)
        predicted = predict_rows(self.get(self.present, "champion").model, rows.values[places])
        good = predicted.good
        output = in_row_order(earlier, rows.predictions(places[good], predicted.probabilities[good]))
        failed = in_row_order(NO_ERRORS, *(rows.failures(places[those], error) for error, those in predicted.errors))
        self.finish.finish(batch, message.number, rows, output=output, failed=failed, before=before)

    def sleep(self, _: float) -> None:
        """Let the workers do what waits, while the refresh sleeps."""
        self.slept += 1
        if self.works and self.queue.messages:
            self.step()

    def seconds_left(self) -> float:
        """Return what is left of the invocation: it ends after `asks_left` of these questions."""
        self.asks_left -= 1
        return 900.0 if self.asks_left >= 0 else 10.0

    def predict_matches(self) -> PredictMatches:
        """Return the use case of one invocation."""
        batches, queue, files = (self.trip.over(port) for port in (self.records, self.queue, self.uploads))
        return PredictMatches(
            batches=batches,
            queue=queue,
            objects=self.objects,
            files=files,
            folder=a_folder,
            is_published=lambda _, published: published == self.present,
            lifetime=timedelta(days=1),
            seconds_left=self.seconds_left,
            now=lambda: self.now,
            sleep=self.sleep,
        )

    def refresh(self, **options: Any) -> SnapshotManifest:
        """Make and publish a snapshot, as one invocation does."""
        by_batch = self.predict_matches().predict
        return refresh(self.objects, self.champion, at_once=20, by_batch=by_batch, now=self.now, **options)

    @property
    def made(self) -> list[Batch]:
        """Return every batch that was made."""
        return list(self.records._batches.values())


def direct(data_dir: Path, loaded: LoadedModel | None = None) -> SnapshotManifest:
    """Return the snapshot of one invocation, without a batch."""
    objects = InMemoryObjects()
    publish_dataset(objects, data_dir, TODAY)
    return refresh(objects, loaded)


def another(version: str = "8", change: Callable[[Any], Any] = lambda found: found[:, ::-1]) -> LoadedModel:
    """Return another version of the model, which gives other probabilities."""
    loaded = model()
    published = loaded.published.model_copy(update={"version": version, "prefix": f"models/matchcast/{version}-x/"})
    return LoadedModel(published, Softmax(change), loaded.stage, NOW)


def served(stack: LargeSnapshots) -> SnapshotManifest:
    """Return the snapshot that is served."""
    stored = stack.raw.get("snapshots/manifest.json")
    assert stored is not None
    return SnapshotManifest.parse(stored.body, "snapshots/manifest.json")


Make = Callable[..., LargeSnapshots]
