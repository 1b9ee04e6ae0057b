"""Which loader a published model gets: the one of its own runtime, among those that the image was built for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from matchcast.domain.manifests import PublishedModel, Runtime
from matchcast.ports import Model, ModelLoader

CALL_SECONDS = 50.0
"""How long a model in a process of its own may take to load, and for each call. An invocation of run_inference ends
after 60 seconds, and needs 10 of them for its writes: who calls a model waits for it no longer."""


def loader_for(runtime: Runtime, call_seconds: float = CALL_SECONDS) -> ModelLoader:
    """Return the loader of an image that was built for a runtime: `onnx` alone, or `pyfunc` and `onnx`."""
    from matchcast.adapters.onnx_model import load_onnx

    return load_onnx if runtime == "onnx" else partial(load_any, call_seconds=call_seconds)


def load_any(published: PublishedModel, files: Mapping[str, bytes], call_seconds: float = CALL_SECONDS) -> Model:
    """Load a model of either runtime from its verified files (a `ports.ModelLoader`).

    Raises
    ------
    ReleaseRefused, ModelUnavailable
        As the loader of its runtime does.
    """
    if published.runtime == "pyfunc":
        from matchcast.adapters.pyfunc_model import load_pyfunc

        return load_pyfunc(published, files, seconds=call_seconds)
    from matchcast.adapters.onnx_model import load_onnx

    return load_onnx(published, files)
