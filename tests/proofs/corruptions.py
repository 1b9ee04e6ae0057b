"""Broken releases, each put into the bucket past every check of the publisher: what is served has to stay."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from matchcast.adapters.onnx_model import ARTIFACT, CLASSES, INPUT, OUTPUT
from matchcast.domain.manifests import FileEntry, Manifest, ModelManifest, SnapshotManifest
from matchcast.snapshots.contract import MATCH_FEATURES_FILE, PREDICTIONS_FILE

VERSION = "666"
"""The version of every broken model: it must never answer."""
SNAPSHOT_ID = "29991231T235959Z-deadbeef"
PRECOMPUTED, COMPUTED = "precomputed", "computed"
EVERYONE = (PRECOMPUTED, COMPUTED)
"""Who reads snapshots: what answers out of the tables, and what computes from the features."""

Bodies = dict[str, bytes]


@dataclass
class Broken:
    """A release on its way into the bucket: the files as they are stored, and the manifest as it is written."""

    bodies: Bodies
    manifest: bytes


Break = Callable[[Bodies, Callable[[Bodies], Manifest]], Broken]
"""Breaks a release: from its good files, and from what writes a good manifest of files."""


def flipped(name: str) -> Break:
    """Return a break that flips one bit in the middle of a file."""

    def change(body: bytes) -> bytes:
        middle = len(body) // 2
        return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]

    return stored_otherwise(name, change)


def truncated(name: str) -> Break:
    """Return a break that leaves half of a file."""
    return stored_otherwise(name, lambda body: body[: len(body) // 2])


def stored_otherwise(name: str, change: Callable[[bytes], bytes]) -> Break:
    """Return a break of a file after its digest was taken."""
    return lambda good, describe: Broken({**good, name: change(good[name])}, describe(good).body())


def missing(name: str) -> Break:
    """Return a break that leaves out a file which the manifest names."""
    return lambda good, describe: Broken(
        {other: body for other, body in good.items() if other != name}, describe(good).body()
    )


def replaced(name: str, body: Callable[[bytes], bytes]) -> Break:
    """Return a break whose file is another one, under a digest that is right."""

    def change(good: Bodies, describe: Callable[[Bodies], Manifest]) -> Broken:
        files = {**good, name: body(good[name])}
        return Broken(files, describe(files).body())

    return change


def nowhere(good: Bodies, describe: Callable[[Bodies], Manifest]) -> Broken:
    """Write no file at all, only the manifest."""
    return Broken({}, describe(good).body())


def half_written(good: Bodies, describe: Callable[[Bodies], Manifest]) -> Broken:
    """Write half of the manifest."""
    body = describe(good).body()
    return Broken(good, body[: len(body) // 2])


def another_schema(good: Bodies, describe: Callable[[Bodies], Manifest]) -> Broken:
    """Write a manifest of a version that nobody knows."""
    body = describe(good).body()
    return Broken(good, body.replace(b'"schema_version": 1', b'"schema_version": 99', 1))


def onnx_constant(probabilities: list[float], columns: int) -> bytes:
    """Return an ONNX model of so many columns that gives every row the same three numbers."""
    from onnx import TensorProto, helper

    features = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [None, columns])
    answer = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [None, CLASSES])
    weights = helper.make_tensor("weights", TensorProto.FLOAT, [columns, CLASSES], [0.0] * columns * CLASSES)
    bias = helper.make_tensor("bias", TensorProto.FLOAT, [CLASSES], probabilities)
    node = helper.make_node("Gemm", [INPUT, "weights", "bias"], [OUTPUT])
    graph = helper.make_graph([node], "constant", [features], [answer], [weights, bias])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return bytes(model.SerializeToString())


def a_pickle(_: bytes) -> bytes:
    """Return a pickle that would be heard of if somebody loaded it."""
    return pickle.dumps({"this": "is no release"})


def without_column(name: str) -> Callable[[bytes], bytes]:
    """Return what takes a column out of a Parquet file."""
    return lambda body: _rewritten(body, lambda table: table.drop_columns([name]))


def with_nan(name: str) -> Callable[[bytes], bytes]:
    """Return what makes the first cell of a column of a Parquet file NaN."""

    def change(table: pa.Table) -> pa.Table:
        values = np.array(table[name].to_numpy())
        values[0] = np.nan
        return table.set_column(table.column_names.index(name), table.schema.field(name), pa.array(values))

    return lambda body: _rewritten(body, change)


def model_breaks(columns: int) -> Mapping[str, Break]:
    """Return every break of a model release whose signature has so many columns."""
    nan = float("nan")
    return {
        "model: a flipped bit": flipped(ARTIFACT),
        "model: a truncated file": truncated(ARTIFACT),
        "model: a missing file": missing(ARTIFACT),
        "model: a manifest of another schema": another_schema,
        "model: other columns than the signature": replaced(ARTIFACT, lambda _: onnx_constant([0.5, 0.3, 0.2], 3)),
        "model: a manifest that points nowhere": nowhere,
        "model: half a manifest": half_written,
        "model: a pickle in place of the artifact": replaced(ARTIFACT, a_pickle),
        "model: NaN probabilities": replaced(ARTIFACT, lambda _: onnx_constant([nan, nan, nan], columns)),
        "model: probabilities that do not sum to 1": replaced(
            ARTIFACT, lambda _: onnx_constant([0.5, 0.5, 0.5], columns)
        ),
    }


SNAPSHOT_BREAKS: Mapping[str, tuple[Break, Collection[str]]] = {
    "snapshot: a flipped bit": (flipped(PREDICTIONS_FILE), (PRECOMPUTED,)),
    "snapshot: a flipped bit in the features": (flipped(MATCH_FEATURES_FILE), (COMPUTED,)),
    "snapshot: a truncated file": (truncated(PREDICTIONS_FILE), (PRECOMPUTED,)),
    "snapshot: truncated features": (truncated(MATCH_FEATURES_FILE), (COMPUTED,)),
    "snapshot: a missing file": (missing(PREDICTIONS_FILE), (PRECOMPUTED,)),
    "snapshot: missing features": (missing(MATCH_FEATURES_FILE), (COMPUTED,)),
    "snapshot: a manifest of another schema": (another_schema, EVERYONE),
    "snapshot: a table without a column": (replaced(PREDICTIONS_FILE, without_column("kickoff")), (PRECOMPUTED,)),
    "snapshot: features without a column": (replaced(MATCH_FEATURES_FILE, without_column("as_of")), (COMPUTED,)),
    "snapshot: a manifest that points nowhere": (nowhere, EVERYONE),
    "snapshot: half a manifest": (half_written, EVERYONE),
    "snapshot: a pickle in place of a table": (replaced(PREDICTIONS_FILE, a_pickle), (PRECOMPUTED,)),
    "snapshot: a pickle in place of the features": (replaced(MATCH_FEATURES_FILE, a_pickle), (COMPUTED,)),
    "snapshot: NaN probabilities": (replaced(PREDICTIONS_FILE, with_nan("home")), (PRECOMPUTED,)),
}
"""Every break of a snapshot, with those who read what is broken; the others may go on to what is whole of it."""


def broken_model(manifest: ModelManifest, prefix: str) -> Callable[[Bodies], Manifest]:
    """Return what describes files as version 666 under the champion's stage."""
    champion = manifest.stages["champion"]

    def describe(bodies: Bodies) -> Manifest:
        files = {name: FileEntry.of(body) for name, body in bodies.items()}
        broken = champion.model_copy(update={"version": VERSION, "prefix": prefix, "files": files})
        stages = {**manifest.stages, "champion": broken}
        return manifest.model_copy(update={"release": manifest.release + 1, "stages": stages})

    return describe


def broken_snapshot(manifest: SnapshotManifest, prefix: str) -> Callable[[Bodies], Manifest]:
    """Return what describes files as a snapshot of the far future."""

    def describe(bodies: Bodies) -> Manifest:
        files = {name: FileEntry.of(body, rows=manifest.files[name].rows) for name, body in bodies.items()}
        return manifest.model_copy(update={"snapshot_id": SNAPSHOT_ID, "prefix": prefix, "files": files})

    return describe


def _rewritten(body: bytes, change: Callable[[pa.Table], pa.Table]) -> bytes:
    target = io.BytesIO()
    pq.write_table(change(pq.read_table(pa.BufferReader(body))), target, compression="zstd")
    return target.getvalue()
