"""ONNX artifacts: what is loaded, and what is refused before it can serve."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from matchcast.adapters.onnx_model import ARTIFACT, load_onnx
from matchcast.domain.manifests import PublishedModel
from matchcast.domain.signature import Column, Signature
from matchcast.errors import ModelFailed, ReleaseRefused

WEIGHTS = np.array([[1.0, 0.0, -1.0], [0.5, 0.0, 0.5]], dtype=np.float32)


def linear(
    *,
    weights: np.ndarray = WEIGHTS,
    input_name: str = "features",
    output_name: str = "probabilities",
    kind: int = TensorProto.FLOAT,
) -> bytes:
    """Return softmax(rows x weights) as ONNX bytes."""
    columns, classes = weights.shape
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", [input_name, "weights"], ["scores"]),
            helper.make_node("Softmax", ["scores"], [output_name], axis=1),
        ],
        "linear",
        [helper.make_tensor_value_info(input_name, kind, [None, columns])],
        [helper.make_tensor_value_info(output_name, kind, [None, classes])],
        [helper.make_tensor("weights", kind, weights.shape, weights.flatten().tolist())],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def published(columns: int = 2, runtime: str = "onnx") -> PublishedModel:
    return PublishedModel(
        name="matchcast",
        version="7",
        run_id="r",
        runtime=runtime,
        prefix="models/matchcast/7-x/",
        files={},
        signature=Signature(inputs=tuple(Column(name=f"f{n}", type="float") for n in range(columns))),
    )


def test_gives_the_probabilities_of_every_row() -> None:
    rows = np.array([[0, 0], [2, 1], [-1, 3]], dtype=np.float32)
    scores = np.exp(rows @ WEIGHTS)

    probabilities = load_onnx(published(), {ARTIFACT: linear()}).predict(rows)

    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities, scores / scores.sum(axis=1, keepdims=True), rtol=1e-5)


def test_takes_rows_of_another_width_in_memory() -> None:
    rows: Any = np.array([[2.0, 1.0]], dtype=np.float64)
    model = load_onnx(published(), {ARTIFACT: linear()})
    np.testing.assert_array_equal(model.predict(rows), model.predict(rows.astype(np.float32)))


@pytest.mark.parametrize(
    "body",
    [b"", b"garbage, not a model", linear()[:-20], pickle.dumps({"coef": [1, 2, 3]})],
    ids=["empty", "garbage", "truncated", "pickle"],
)
def test_refuses_bytes_that_are_no_model(body: bytes) -> None:
    with pytest.raises(ReleaseRefused, match="matchcast version 7"):
        load_onnx(published(), {ARTIFACT: body})


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (linear(weights=np.ones((3, 3), dtype=np.float32)), "2 columns"),
        (linear(input_name="x"), "2 columns"),
        (linear(kind=TensorProto.DOUBLE), "float tensor"),
        (linear(weights=np.ones((2, 2), dtype=np.float32)), "home, draw, away"),
        (linear(output_name="scaled"), "home, draw, away"),
    ],
    ids=["wider than the signature", "input of another name", "doubles", "two classes", "output of another name"],
)
def test_refuses_a_model_of_another_shape(body: bytes, reason: str) -> None:
    with pytest.raises(ReleaseRefused, match=reason):
        load_onnx(published(), {ARTIFACT: body})


def test_refuses_a_model_that_gives_no_probabilities() -> None:
    no_number = linear(weights=np.full_like(WEIGHTS, np.nan))

    with pytest.raises(ReleaseRefused, match="row of zeros, which are invalid probabilities"):
        load_onnx(published(), {ARTIFACT: no_number})


def test_refuses_another_runtime_and_a_missing_artifact() -> None:
    with pytest.raises(ReleaseRefused, match="pyfunc"):
        load_onnx(published(runtime="pyfunc"), {ARTIFACT: linear()})
    with pytest.raises(ReleaseRefused, match=ARTIFACT):
        load_onnx(published(), {})


def test_rows_that_the_model_cannot_take_are_its_failure() -> None:
    model = load_onnx(published(), {ARTIFACT: linear()})
    with pytest.raises(ModelFailed, match="2 rows"):
        model.predict(np.zeros((2, 5), dtype=np.float32))
