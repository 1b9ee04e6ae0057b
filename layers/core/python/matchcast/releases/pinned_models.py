"""Models by the version that was pinned, whatever the manifest says now: a few are kept."""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Mapping
from datetime import UTC, datetime

from matchcast.domain.manifests import PublishedModel
from matchcast.ports import Model, ModelLoader, ObjectStore
from matchcast.releases.served_models import LoadedModel, artifact_key, load_verified

KEPT_MODELS = 3
"""So many batches of different versions take turns without loading; one more model is one more process at times."""


class PinnedModels:
    """Published models, verified and loaded once; of more than `keep` the one goes that was not used for longest.

    A model that goes takes its process with it, as soon as no call uses it any more. Threads that want the same model
    wait for one of them to load it.
    """

    def __init__(self, objects: ObjectStore, load: ModelLoader, keep: int = KEPT_MODELS) -> None:
        self._objects = objects
        self._load = load
        self._keep = keep
        self._models: OrderedDict[str, tuple[Model, datetime]] = OrderedDict()
        self._lock = threading.Lock()
        self._loading: weakref.WeakValueDictionary[str, _Turn] = weakref.WeakValueDictionary()

    def get(self, published: PublishedModel, stage: str) -> LoadedModel:
        """Return a version, as the stage under which it was pinned.

        Raises
        ------
        ReleaseRefused
            If a file of it is another one or missing, or it cannot be loaded here.
        ModelUnavailable, StorageUnavailable
            If there is no room for it, or the bucket does not answer.
        """
        key = artifact_key(published)
        with self._lock:
            turn = self._loading.setdefault(key, _Turn())
        with turn.lock:
            found = self._used(key)
            if found is None:
                self._make_room()
                found = (load_verified(self._objects, self._load, published), datetime.now(UTC))
                with self._lock:
                    self._models[key] = found
                self._make_room(0)
        model, loaded_at = found
        return LoadedModel(published, model, stage, loaded_at)

    def _used(self, key: str) -> tuple[Model, datetime] | None:
        with self._lock:
            if key in self._models:
                self._models.move_to_end(key)
            return self._models.get(key)

    def _make_room(self, more: int = 1) -> None:
        """Let the models go that were not used for longest, before another one takes memory."""
        with self._lock:
            while len(self._models) + more > self._keep:
                self._models.popitem(last=False)


class _Turn:
    """Who loads a model."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


class SharedLoader:
    """A `ModelLoader` that loads no model twice which is still in use: the champion is pinned by most batches."""

    def __init__(self, load: ModelLoader) -> None:
        self._load = load
        self._models: weakref.WeakValueDictionary[str, Model] = weakref.WeakValueDictionary()

    def __call__(self, published: PublishedModel, files: Mapping[str, bytes]) -> Model:
        """Return the model of these files, which were verified."""
        key = artifact_key(published)
        model = self._models.get(key)
        if model is None:
            model = self._models[key] = self._load(published, files)
        return model
