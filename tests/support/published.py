"""A real release in a bucket: a small ONNX model under the stage champion, and a snapshot with its matches."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
from onnx import TensorProto, helper

from matchcast.adapters.s3_objects import S3Objects
from matchcast.snapshots.contract import MATCH_FEATURES_FILE
from tests.support.releases import MATCHES, SIGNATURE, put_models, put_snapshot
from tests.support.tasks import NOW

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

WEIGHTS = np.array([[0.01, 0, -0.01], [0.1, 0, -0.1]], np.float32)


def publish(s3: S3Client, bucket: str) -> None:
    """Put a softmax of a linear map under the stage champion, and a snapshot with its matches."""
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["features", "weights"], ["scores"]),
            helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
        ],
        "linear",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, 2])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 3])],
        [helper.make_tensor("weights", TensorProto.FLOAT, WEIGHTS.shape, WEIGHTS.flatten().tolist())],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    artifact = model.SerializeToString()
    onnx.checker.check_model(model)
    values = np.array(list(MATCHES.values()), np.float32)
    columns = {name: values[:, position] for position, name in enumerate(SIGNATURE.names)}
    as_of = pa.array([NOW] * len(MATCHES), pa.timestamp("ms", "UTC"))
    body = io.BytesIO()
    pq.write_table(pa.table({"match_id": list(MATCHES), **columns, "as_of": as_of}), body, compression="zstd")
    objects = S3Objects(s3, bucket)
    put_models(objects, {"champion": ("3", artifact)})
    put_snapshot(objects, {MATCH_FEATURES_FILE: body.getvalue()})


def softmax(match_id: str) -> list[float]:
    """Return what the published model gives for one of `MATCHES`."""
    powers = np.exp(np.array(MATCHES[match_id]) @ WEIGHTS)
    found: list[float] = (powers / powers.sum()).tolist()
    return found
