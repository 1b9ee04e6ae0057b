"""The models that functions serve: one per stage, verified, loaded once, kept while a newer release is refused."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from matchcast.domain.manifests import ModelManifest, PublishedModel
from matchcast.echo import quoted
from matchcast.errors import MatchcastError, StageNotFound
from matchcast.ports import Model, ModelLoader, ObjectStore
from matchcast.releases.files import read_files
from matchcast.releases.readers import LastGood, ManifestReader


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model that is ready to predict, and the release it came from."""

    published: PublishedModel
    model: Model
    stage: str
    loaded_at: datetime


def artifact_key(published: PublishedModel) -> str:
    """Return what versions share that have the same files."""
    return published.prefix + "".join(entry.sha256 for entry in published.files.values())


def load_verified(objects: ObjectStore, load: ModelLoader, published: PublishedModel) -> Model:
    """Return a model that was loaded from its files, whose digests are those of its manifest.

    Raises
    ------
    ReleaseRefused, ModelUnavailable
        If a file is another one or missing, or the model cannot be loaded.
    """
    return load(published, read_files(objects, published.prefix, published.files))


class ServedModels:
    """The published models, one per stage, loaded once per artifact however many stages share it."""

    def __init__(self, manifests: ManifestReader[ModelManifest], objects: ObjectStore, load: ModelLoader) -> None:
        self._manifests = manifests
        self._objects = objects
        self._load = load
        self._stages: dict[str, LastGood[ModelManifest, PublishedModel, LoadedModel]] = {}
        self._artifacts: dict[str, tuple[Model, datetime]] = {}
        # Stages load side by side; none of them waits for another's files.
        self._lock = threading.Lock()

    def problem_of(self, stage: str) -> MatchcastError | None:
        """Return why a stage does not serve the newest release; None if it does."""
        kept = self._stages.get(stage)
        return self._manifests.problem or (kept.problem if kept else None)

    def get(self, stage: str) -> LoadedModel:
        """Return the model that a stage serves.

        Raises
        ------
        StageNotFound
            If no model is published under this stage.
        ModelUnavailable
            If no version of it could ever be loaded.
        """
        manifest = self._manifests.current()
        published = manifest.stages.get(stage)
        if published is None:
            self._stages.pop(stage, None)
            stages = ", ".join(sorted(manifest.stages)) or "none"
            raise StageNotFound(f"No model is published under the stage {quoted(stage)}; there are: {stages}.")
        if stage not in self._stages:
            self._stages[stage] = LastGood(
                self._manifests, lambda manifest: manifest.stages.get(stage), partial(self._take, stage)
            )
        return self._stages[stage].get(published)

    def _take(self, stage: str, published: PublishedModel) -> LoadedModel:
        key = artifact_key(published)
        if key not in self._artifacts:
            model = load_verified(self._objects, self._load, published)
            named = {each.prefix for each in self._manifests.current().stages.values()}
            with self._lock:
                kept = {old: each for old, each in self._artifacts.items() if old.startswith(tuple(named))}
                self._artifacts = {**kept, key: (model, datetime.now(UTC))}
        model, loaded_at = self._artifacts[key]
        return LoadedModel(published, model, stage, loaded_at)
