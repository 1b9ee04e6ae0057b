from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.domain.manifests import PublishedModel
from matchcast.errors import DigestMismatch, ManifestInvalid
from matchcast.ports import Model
from matchcast.releases.pinned_models import PinnedModels, SharedLoader
from tests.support.part_workers import WEIGHTS
from tests.support.releases import Logits, artifact, published


class Loader:
    """Loads models, and remembers which, as long as they are there."""

    def __init__(self) -> None:
        self.versions: list[str] = []
        self.models: weakref.WeakValueDictionary[str, Logits] = weakref.WeakValueDictionary()

    def __call__(self, published: PublishedModel, files: Mapping[str, bytes]) -> Model:
        assert files == {"model.onnx": artifact(published.version)}
        self.versions.append(published.version)
        model = self.models[published.version] = Logits(WEIGHTS)
        return model


@pytest.fixture
def objects() -> InMemoryObjects:
    objects = InMemoryObjects()
    for version in "12345":
        objects.put(published(version).prefix + "model.onnx", artifact(version))
    return objects


def test_a_version_is_loaded_once_whatever_stage_it_was_pinned_as(objects: InMemoryObjects) -> None:
    load = Loader()
    models = PinnedModels(objects, load)

    first, second = models.get(published("1"), "champion"), models.get(published("1"), "candidate")

    assert load.versions == ["1"]
    assert first.model is second.model
    assert (first.stage, second.stage) == ("champion", "candidate")


def test_the_model_that_was_not_used_for_longest_goes(objects: InMemoryObjects) -> None:
    # GIVEN room for two models
    load = Loader()
    models = PinnedModels(objects, load, keep=2)

    # WHEN a third one is asked for
    for version in ("1", "2", "1", "3", "1", "2"):
        models.get(published(version), "champion")

    # THEN the one that was used before it stays
    assert load.versions == ["1", "2", "3", "2"]
    gc.collect()
    assert sorted(load.models) == ["1", "2"]


@pytest.mark.parametrize(("body", "error"), [(b"another", DigestMismatch), (None, ManifestInvalid)])
def test_files_that_are_not_those_of_the_manifest_are_not_loaded(
    objects: InMemoryObjects, body: bytes | None, error: type[Exception]
) -> None:
    # GIVEN a file that was written over, or deleted
    key = published("1").prefix + "model.onnx"
    objects.delete([key])
    if body is not None:
        objects.put(key, body)
    load = Loader()
    models = PinnedModels(objects, load)

    # WHEN its version is asked for
    # THEN it is refused, and served as soon as the file is there again
    with pytest.raises(error):
        models.get(published("1"), "champion")
    assert load.versions == []
    objects.put(key, artifact("1"))
    assert models.get(published("1"), "champion").published == published("1")


def test_threads_that_want_the_same_model_load_it_once(objects: InMemoryObjects) -> None:
    # GIVEN a model that is loaded slowly
    started = threading.Barrier(4)

    class Slow(Loader):
        def __call__(self, published: PublishedModel, files: Mapping[str, bytes]) -> Model:
            threading.Event().wait(0.05)
            return super().__call__(published, files)

    load = Slow()
    models = PinnedModels(objects, load)

    def get(_: int) -> Model:
        started.wait(20)
        return models.get(published("1"), "champion").model

    # WHEN four threads ask for it
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(get, range(4)))

    # THEN
    assert load.versions == ["1"]
    assert all(model is found[0] for model in found)


def test_a_model_that_is_served_is_not_loaded_again(objects: InMemoryObjects) -> None:
    # GIVEN two who share a loader, such as the stages of tasks and the batches
    load = Loader()
    shared = SharedLoader(load)
    served, pinned = PinnedModels(objects, shared), PinnedModels(objects, shared)

    # WHEN both have the same version
    same = served.get(published("1"), "champion").model is pinned.get(published("1"), "champion").model

    # THEN it is loaded once, and goes with the last of them
    assert (same, load.versions) == (True, ["1"])
    del served, pinned
    gc.collect()
    assert not load.models
    PinnedModels(objects, shared).get(published("1"), "champion")
    assert load.versions == ["1", "1"]
