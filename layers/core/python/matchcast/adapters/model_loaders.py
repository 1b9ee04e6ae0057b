"""Which loader a published model gets: the one of its own runtime, among those that the image was built for."""

from __future__ import annotations

from collections.abc import Mapping

from matchcast.domain.manifests import PublishedModel, Runtime
from matchcast.ports import Model, ModelLoader


def loader_for(runtime: Runtime) -> ModelLoader:
    """Return the loader of an image that was built for a runtime: `onnx` alone, or `pyfunc` and `onnx`."""
    from matchcast.adapters.onnx_model import load_onnx

    return load_onnx if runtime == "onnx" else load_any


def load_any(published: PublishedModel, files: Mapping[str, bytes]) -> Model:
    """Load a model of either runtime from its verified files (a `ports.ModelLoader`).

    Raises
    ------
    ReleaseRefused
        As the loader of its runtime does.
    """
    if published.runtime == "pyfunc":
        from matchcast.adapters.pyfunc_model import load_pyfunc

        return load_pyfunc(published, files)
    from matchcast.adapters.onnx_model import load_onnx

    return load_onnx(published, files)
