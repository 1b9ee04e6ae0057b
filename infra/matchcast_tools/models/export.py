"""Export a registered scikit-learn or LightGBM model to ONNX, and prove that both give the same probabilities."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from matchcast.adapters.onnx_model import CLASSES, INPUT, OUTPUT
from matchcast.adapters.pyfunc_answers import CLASSIFIERS
from matchcast.errors import ModelFailed, ModelTooSlow, ParityFailed, ReleaseRefused
from matchcast_tools.models.lightgbm_export import BoosterClassifier, register_lightgbm
from matchcast_tools.models.tree_export import register_hist_gradient_boosting

if TYPE_CHECKING:
    from matchcast.ports import Model, Rows
    from matchcast_tools.models.registry import RegisteredModel


class NotExportable(ReleaseRefused):
    """A model of a kind that ONNX lacks; it may still be served as a model directory."""

    code = "not-exportable"


PARITY_LIMIT = 1e-5
"""The largest difference of a probability that an export may make."""

SUM_LIMIT = 1e-4
"""How far from 1 the sum of a row's probabilities may be; what is served is renormalised."""

# Old enough for every ONNX Runtime that the functions may be built with.
OPSET = {"": 18, "ai.onnx.ml": 3}
IR_VERSION = 8


def to_onnx(model: RegisteredModel) -> bytes:
    """Return a model as ONNX: input `features` (float32, n x columns), output `probabilities` (float32, n x 3).

    The same model gives the same bytes.

    Raises
    ------
    ReleaseRefused
        If the model does not know the classes 0, 1 and 2.
    NotExportable
        If it is of another kind, or has a part that ONNX lacks.
    """
    what = f"{model.at.name} version {model.at.version}"
    flavors = set(model.pyfunc.metadata.flavors)
    if not CLASSIFIERS & flavors:
        logged = ", ".join(sorted(flavors))
        raise NotExportable(
            f"{what} cannot be exported to ONNX: it was logged as {logged}, not as sklearn or lightgbm."
        )
    estimator = model.pyfunc.get_raw_model()
    if "lightgbm" in flavors and not hasattr(estimator, "classes_"):
        estimator = BoosterClassifier.of(what, estimator)
    classes = np.asarray(getattr(estimator, "classes_", [])).tolist()
    if classes != list(range(CLASSES)):
        raise ReleaseRefused(
            f"{what} has the classes {classes}, not 0, 1 and 2 for home, draw and away. Train it on these."
        )
    return convert(what, estimator, len(model.signature.inputs))


def parity_rows(model: RegisteredModel, sampled: Rows) -> Rows:
    """Return the rows that parity is shown on: the model's input example, then the sampled ones, float32."""
    if model.example is None:
        return sampled
    # An optional column may be left out of the example.
    example = model.example.reindex(columns=list(model.signature.names)).to_numpy(dtype=np.float32)
    return np.concatenate([example, sampled]).astype(np.float32)


def check_parity(model: RegisteredModel, exported: Model, rows: Rows) -> float:
    """Return the largest difference between a registered model and its export, over all rows and classes.

    Raises
    ------
    ParityFailed
        If it is above `PARITY_LIMIT`, a probability is not finite, or there is no row to compare on.
    ReleaseRefused
        If one of them cannot predict rows of the signature.
    """
    what = f"{model.at.name} version {model.at.version}"
    if len(rows) == 0:
        raise ParityFailed(
            f"There is no row to compare {what} and its export on. Log the model with an input example, "
            "or make features with `matchcast features`."
        )
    registered = model(rows)
    try:
        difference = _largest_difference(registered, exported.predict(rows))
    except (ModelFailed, ModelTooSlow) as error:
        raise ReleaseRefused(f"The export of {what} does not run: {error.detail}") from error
    if not difference <= PARITY_LIMIT:
        raise ParityFailed(
            f"{what} and its export differ by up to {difference:.3g} on {len(rows)} rows; {PARITY_LIMIT:g} is allowed. "
            "It is not published. Usual causes are features with very large values, and trees behind a step that "
            "computes with doubles: log such a model with a signature of float columns, not of double ones."
        )
    if (least := registered.min()) < 0 or (off := np.abs(registered.sum(axis=1) - 1).max()) > SUM_LIMIT:
        reason = f"the least is {least:.3g}" if least < 0 else f"their sum is off by up to {off:.3g}"
        raise ReleaseRefused(f"{what} gives no probabilities of home, draw and away: {reason}. It is not published.")
    return difference


def _first_line(error: Exception) -> str:
    """Return what an exporter says, without the list of all that it could have exported."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0].strip()
    return line if line.endswith(".") else f"{line}."


def _largest_difference(registered: npt.NDArray[np.float64], exported: Rows) -> float:
    """Return the largest absolute difference; infinity where shapes differ or a value is not finite."""
    if registered.shape != exported.shape or not (np.isfinite(registered).all() and np.isfinite(exported).all()):
        return math.inf
    return float(np.abs(registered - exported).max())


def convert(what: str, estimator: Any, columns: int) -> bytes:
    """Return a fitted classifier of home, draw and away as ONNX; `what` names it in errors.

    Raises
    ------
    NotExportable
        If it has a part that ONNX lacks.
    """
    from onnx import TensorProto
    from onnx.helper import make_opsetid, make_tensor_value_info
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType
    from skl2onnx.common.exceptions import MissingConverter, MissingShapeCalculator
    from skl2onnx.helpers.onnx_helper import select_model_inputs_outputs

    register_lightgbm()
    register_hist_gradient_boosting()
    try:
        graph = convert_sklearn(
            estimator,
            name="matchcast",
            initial_types=[(INPUT, FloatTensorType([None, columns]))],
            options={"zipmap": False},
            # It multiplies by an inverse where scikit-learn divides; what trees then compare with their thresholds has
            # to be the very same number.
            black_op={"Scaler"},
            target_opset=OPSET,
        )
    except (MissingConverter, MissingShapeCalculator, RuntimeError, TypeError, ValueError) as error:
        raise NotExportable(f"{what} cannot be exported to ONNX: {_first_line(error)}") from error
    # Without the label, which is not asked for; what is cut out loses its shape, so it is given again.
    graph = select_model_inputs_outputs(graph, outputs=[OUTPUT])
    graph.graph.output[0].CopyFrom(make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [None, CLASSES]))
    domains = {entry.domain: entry.version for entry in graph.opset_import}
    del graph.opset_import[:]
    graph.opset_import.extend(make_opsetid(domain, version) for domain, version in sorted(domains.items()))
    graph.ir_version = IR_VERSION
    return bytes(graph.SerializeToString(deterministic=True))
