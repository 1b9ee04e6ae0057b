"""MODEL_RUNTIME: which loader the functions that run models get."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from functions.run_inference import handler
from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.adapters.model_loaders import CALL_SECONDS, load_any
from matchcast.adapters.onnx_model import load_onnx
from matchcast.bootstrap import batch_parts, inference, refresh, releases
from matchcast.releases.pinned_models import SharedLoader
from matchcast.releases.served_models import ServedModels
from matchcast.settings import ModelSettings
from tests.support.template import load

FUNCTIONS = ("RunInferenceFunction", "RefreshSnapshotFunction")


@pytest.fixture(autouse=True)
def _fresh_parts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("DATA_BUCKET_NAME", "bucket")
    for name in ("TASKS_TABLE_NAME", "NORMAL_QUEUE_URL", "BATCHES_QUEUE_URL"):
        monkeypatch.setenv(name, "only a batch needs it")
    monkeypatch.setattr(releases, "objects", InMemoryObjects)
    made = (inference.served_models, batch_parts.loader, releases.models)
    for each in made:
        each.cache_clear()
    yield
    for each in made:
        each.cache_clear()


@pytest.mark.parametrize(("runtime", "loader"), [(None, load_onnx), ("onnx", load_onnx), ("pyfunc", load_any)])
def test_the_inference_function_loads_what_its_image_was_built_for(
    runtime: str | None, loader: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    if runtime is not None:
        monkeypatch.setenv("MODEL_RUNTIME", runtime)
    shared = inference.served_models()._load
    assert isinstance(shared, SharedLoader)
    load = shared._load
    assert getattr(load, "func", load) is loader


@pytest.mark.parametrize("runtime", ["onnx", "pyfunc"])
def test_the_snapshot_function_loads_what_its_image_was_built_for(
    runtime: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN served models that record the loader they were given
    given: list[object] = []
    original = ServedModels.__init__

    def watched(self: ServedModels, manifests: Any, objects: Any, load: Any) -> None:
        given.append(load)
        original(self, manifests, objects, load)

    monkeypatch.setattr(ServedModels, "__init__", watched)
    monkeypatch.setenv("MODEL_RUNTIME", runtime)
    # WHEN the function's parts are made
    refresh.refresh_snapshot(lambda: 900.0)
    # THEN the loader is that of the image
    assert [getattr(load, "func", load) for load in given] == [load_onnx if runtime == "onnx" else load_any]


def test_a_model_is_given_up_before_its_function_is_ended() -> None:
    timeouts = {name: load()["Resources"][name]["Properties"]["Timeout"] for name in FUNCTIONS}
    assert timeouts["RunInferenceFunction"] >= CALL_SECONDS + handler.WRITE_SECONDS
    # It loads its model anew in each invocation.
    assert timeouts["RefreshSnapshotFunction"] > 2 * refresh.MODEL_SECONDS


def test_another_runtime_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_RUNTIME", "pickle")
    with pytest.raises(ValidationError, match=r"(?i)model_runtime"):
        ModelSettings()
