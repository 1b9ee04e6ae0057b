"""A linear model of the features of small datasets as ONNX, and its publication."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper

from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.domain.manifests import MODEL_MANIFEST_KEY, FileEntry, ModelManifest, PublishedModel
from matchcast.domain.signature import Column, Signature
from tests.support.datasets import FEATURES, LAST_SEASON_STARTS
from tests.support.tasks import NOW


def onnx_model(weight: float) -> bytes:
    """Return softmax of a linear map of the features as ONNX."""
    weights = np.zeros((len(FEATURES), 3), dtype=np.float32)
    weights[0] = [weight, 0, -weight]
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["features", "weights"], ["scores"]),
            helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
        ],
        "linear",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, len(FEATURES)])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 3])],
        [helper.make_tensor("weights", TensorProto.FLOAT, weights.shape, weights.flatten().tolist())],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def publish_model(objects: InMemoryObjects, version: str, artifact: bytes) -> None:
    """Publish a version as the champion."""
    prefix = f"models/matchcast/{version}-x/"
    objects.put(prefix + "model.onnx", artifact)
    published = PublishedModel(
        name="matchcast",
        version=version,
        run_id=f"run-{version}",
        runtime="onnx",
        prefix=prefix,
        files={"model.onnx": FileEntry.of(artifact)},
        signature=Signature(inputs=tuple(Column(name=name, type="float") for name in FEATURES)),
        trained_until=LAST_SEASON_STARTS,
    )
    manifest = ModelManifest(release=1, published_at=NOW, stages={"champion": published})
    objects.put(MODEL_MANIFEST_KEY, manifest.body())
