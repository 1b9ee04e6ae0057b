"""The one place that knows ONNX Runtime: verified artifact bytes in, a model out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from matchcast.domain.manifests import PublishedModel
from matchcast.domain.prediction import OUTCOMES, SUM_TOLERANCE
from matchcast.errors import ModelFailed, ReleaseRefused
from matchcast.ports import Model

if TYPE_CHECKING:
    from matchcast.ports import Rows

ARTIFACT = "model.onnx"
INPUT = "features"
OUTPUT = "probabilities"
CLASSES = len(OUTCOMES)


class OnnxModel:
    """An ONNX session from feature rows to probabilities of home, draw and away."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def predict(self, rows: Rows) -> Rows:
        """Return probabilities, float32 of shape (n, 3), for float32 rows of shape (n, columns).

        Raises
        ------
        ModelFailed
            If the runtime cannot compute them.
        """
        import numpy as np

        try:
            probabilities: Rows = self._session.run([OUTPUT], {INPUT: np.ascontiguousarray(rows, dtype=np.float32)})[0]
        except _runtime_errors() as error:
            raise ModelFailed(f"The model could not predict {len(rows)} rows ({error}).") from error
        return probabilities


def load_onnx(published: PublishedModel, files: Mapping[str, bytes]) -> Model:
    """Load a published ONNX model from its verified files (a `ports.ModelLoader`).

    Raises
    ------
    ReleaseRefused
        If there is no ONNX artifact, it cannot be loaded, its inputs or outputs are not `features` (float32, as many
        columns as the signature) and `probabilities` (n, 3), or it gives invalid probabilities for a row of zeros.
    """
    what = f"{published.name} version {published.version}"
    if published.runtime != "onnx":
        raise ReleaseRefused(
            f"{what} is published for the runtime '{published.runtime}', and this image was built for ONNX alone. "
            f"Build and deploy with ModelRuntime={published.runtime}, or publish a version that can be exported."
        )
    if ARTIFACT not in files:
        raise ReleaseRefused(f"{what} has no {ARTIFACT}; publish it again.")
    session = _open(what, files[ARTIFACT])
    inputs = [(node.name, node.type, node.shape[1:]) for node in session.get_inputs()]
    width = len(published.signature.inputs)
    if inputs != [(INPUT, "tensor(float)", [width])]:
        raise ReleaseRefused(
            f"{what} does not take what its signature says: its inputs are {inputs}, "
            f"expected one float tensor '{INPUT}' with {width} columns."
        )
    outputs = {node.name: (node.type, node.shape[1:]) for node in session.get_outputs()}
    if outputs.get(OUTPUT) != ("tensor(float)", [CLASSES]):
        raise ReleaseRefused(
            f"{what} gives {outputs}, expected a float tensor '{OUTPUT}' with {CLASSES} columns: home, draw, away."
        )
    model = OnnxModel(session)
    _try(what, model, width)
    return model


def _try(what: str, model: OnnxModel, width: int) -> None:
    """Refuse what loads and then gives invalid probabilities, before it takes the place of a good model."""
    import numpy as np

    try:
        answer = model.predict(np.zeros((1, width), dtype=np.float32))
    except ModelFailed as error:
        raise ReleaseRefused(f"{what} loads, but does not run: {error.detail}") from error
    if not (
        answer.shape == (1, CLASSES) and (answer >= -SUM_TOLERANCE).all() and abs(answer.sum() - 1) <= SUM_TOLERANCE
    ):
        raise ReleaseRefused(f"{what} gives {answer.tolist()} for a row of zeros, which are invalid probabilities.")


def _open(what: str, body: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # One row to a few thousand of a small model: threads cost more than they bring.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(body, options, providers=["CPUExecutionProvider"])
    except _runtime_errors() as error:
        raise ReleaseRefused(f"{what}: its artifact is no ONNX model that this runtime can load ({error}).") from error


def _runtime_errors() -> tuple[type[Exception], ...]:
    """Return what ONNX Runtime raises; it has no base class of its own."""
    from onnxruntime.capi import onnxruntime_pybind11_state as raised

    return (
        raised.Fail,
        raised.InvalidArgument,
        raised.InvalidGraph,
        raised.InvalidProtobuf,
        raised.NoSuchFile,
        raised.NotImplemented,
        raised.RuntimeException,
    )
