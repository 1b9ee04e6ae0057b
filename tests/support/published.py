"""A real release in a bucket: a small ONNX model under the stage champion, and a snapshot with its matches."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
from onnx import TensorProto, helper

from matchcast.domain.manifests import (
    MODEL_MANIFEST_KEY,
    SNAPSHOT_MANIFEST_KEY,
    FileEntry,
    ModelManifest,
    PublishedModel,
    SnapshotManifest,
)
from tests.support.releases import MATCHES, SIGNATURE, SNAPSHOT_ID
from tests.support.tasks import MODEL, NOW

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
    published = PublishedModel(
        name="matchcast",
        version="3",
        run_id="run-3",
        runtime="onnx",
        prefix="models/matchcast/3/",
        files={"model.onnx": FileEntry.of(artifact)},
        signature=SIGNATURE,
    )
    values = np.array(list(MATCHES.values()), np.float32)
    columns = {name: values[:, position] for position, name in enumerate(SIGNATURE.names)}
    as_of = pa.array([NOW] * len(MATCHES), pa.timestamp("ms", "UTC"))
    body = io.BytesIO()
    pq.write_table(pa.table({"match_id": list(MATCHES), **columns, "as_of": as_of}), body, compression="zstd")
    snapshot = SnapshotManifest(
        snapshot_id=SNAPSHOT_ID,
        created_at=NOW,
        as_of=NOW,
        prefix=f"snapshots/{SNAPSHOT_ID}/",
        bookmaker="fonbet",
        model=MODEL,
        files={"match_features.parquet": FileEntry.of(body.getvalue())},
    )
    manifest = ModelManifest(release=1, published_at=NOW, stages={"champion": published})
    for key, content in {
        f"{published.prefix}model.onnx": artifact,
        MODEL_MANIFEST_KEY: manifest.body(),
        f"{snapshot.prefix}match_features.parquet": body.getvalue(),
        SNAPSHOT_MANIFEST_KEY: snapshot.body(),
    }.items():
        s3.put_object(Bucket=bucket, Key=key, Body=content)


def softmax(match_id: str) -> list[float]:
    """Return what the published model gives for one of `MATCHES`."""
    powers = np.exp(np.array(MATCHES[match_id]) @ WEIGHTS)
    found: list[float] = (powers / powers.sum()).tolist()
    return found
