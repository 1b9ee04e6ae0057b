"""Published models as run_inference has them."""

from __future__ import annotations

from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.adapters.onnx_model import load_onnx
from matchcast.domain.manifests import MODEL_MANIFEST_KEY, ModelManifest
from matchcast.releases.readers import ManifestReader
from matchcast.releases.served_models import ServedModels

STAGES = ("champion", "candidate", "smoke")
"""The aliases of the first version, which are published as stages."""


def served_models(objects: InMemoryObjects) -> ServedModels:
    """Return the models as the inference function has them."""
    return ServedModels(ManifestReader(objects, MODEL_MANIFEST_KEY, ModelManifest, 0), objects, load_onnx)
