"""Boosted trees as ONNX nodes: one ensemble that gives a score per class, and a softmax over the scores.

Libraries that compare with double thresholds are given float32 ones, each rounded down: no float32 lies between
the two, hence `x <= threshold` means the same for every float32 that a model is ever asked with.

Histogram gradient boosting of scikit-learn is exported here, LightGBM in `lightgbm_export`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

LOSS = "log_loss"
"""The loss that histogram gradient boosting needs to have: the softmax belongs to it."""


class Unsupported(ValueError):
    """A part of a model that ONNX, or these modules, do not know."""


def round_down(threshold: float) -> float:
    """Return the largest float32 that is not above a double."""
    with np.errstate(over="ignore"):
        nearest = np.float32(threshold)
    return float(nearest if float(nearest) <= threshold else np.nextafter(nearest, np.float32(-np.inf)))


class Trees:
    """The attributes of an ONNX `TreeEnsembleRegressor` with one target per class, node by node."""

    def __init__(self) -> None:
        self.attributes: dict[str, list[Any]] = {name: [] for name in (*_NODE, *_LEAF)}

    def add_split(
        self, at: tuple[int, int], feature: int, threshold: float, children: tuple[int, int], *, missing_left: bool
    ) -> None:
        """Add a split; `at` is the tree's number and the node's in it, `children` are those of `<=` and of `>`."""
        self._add(_NODE, (*at, feature, "BRANCH_LEQ", round_down(threshold), *children, int(missing_left)))

    def add_leaf(self, at: tuple[int, int], target: int, weight: float) -> None:
        """Add a leaf that adds `weight` to the score of the class `target`."""
        self._add(_NODE, (*at, 0, "LEAF", 0.0, 0, 0, 0))
        self._add(_LEAF, (*at, target, weight))

    def add_to(self, scope: Any, operator: Any, container: Any, classes: int, base: Sequence[float] = ()) -> None:
        """Add these trees to a graph as a classifier (the end of a converter of skl2onnx)."""
        from onnx import TensorProto

        rows, scores = (scope.get_unique_variable_name(name) for name in ("rows", "scores"))
        label, probabilities = (output.full_name for output in operator.outputs)

        def node(kind: str, source: str, target: str, **attributes: Any) -> None:
            container.add_node(kind, [source], [target], name=scope.get_unique_operator_name(kind), **attributes)

        node("Cast", operator.inputs[0].full_name, rows, op_version=13, to=TensorProto.FLOAT)
        node(
            "TreeEnsembleRegressor",
            rows,
            scores,
            op_domain="ai.onnx.ml",
            op_version=3,
            aggregate_function="SUM",
            n_targets=classes,
            post_transform="NONE",
            **self.attributes,
            **({"base_values": [float(value) for value in base]} if len(base) else {}),
        )
        # A calibration around this classifier starts from its scores.
        if container.get_options(operator.raw_operator, {"raw_scores": False})["raw_scores"]:
            node("Identity", scores, probabilities, op_version=14)
        else:
            node("Softmax", scores, probabilities, op_version=13, axis=1)
        node("ArgMax", scores, label, op_version=13, axis=1, keepdims=0)

    def _add(self, names: Sequence[str], values: Sequence[Any]) -> None:
        for name, value in zip(names, values, strict=True):
            self.attributes[name].append(value)


_NODE = (
    "nodes_treeids",
    "nodes_nodeids",
    "nodes_featureids",
    "nodes_modes",
    "nodes_values",
    "nodes_truenodeids",
    "nodes_falsenodeids",
    "nodes_missing_value_tracks_true",
)
_LEAF = ("target_treeids", "target_nodeids", "target_ids", "target_weights")


def register(kind: type, convert: Any) -> None:
    """Make `convert` the converter that skl2onnx uses for a kind of classifier, alone and as a step of a pipeline."""
    from skl2onnx import update_registered_converter
    from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes

    update_registered_converter(
        kind,
        f"Matchcast{kind.__name__}",
        calculate_linear_classifier_output_shapes,
        convert,
        options={"nocl": [True, False], "zipmap": [True, False, "columns"], "raw_scores": [True, False]},
    )


def register_hist_gradient_boosting() -> None:
    """Teach skl2onnx `HistGradientBoostingClassifier`; its own one rounds thresholds to the nearest float32."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    register(HistGradientBoostingClassifier, _convert_hist_gradient_boosting)


def _convert_hist_gradient_boosting(scope: Any, operator: Any, container: Any) -> None:
    """Add the nodes of a `HistGradientBoostingClassifier` to a graph (a converter of skl2onnx)."""
    model = operator.raw_operator
    classes = model.n_trees_per_iteration_
    if model.is_categorical_ is not None:
        raise Unsupported("it has splits by category")
    if model.loss != LOSS or classes != len(model.classes_):
        raise Unsupported(f"its loss is {model.loss} of {len(model.classes_)} classes")
    trees = Trees()
    # scikit-learn keeps its trees where only its own code should look; there is no other way to them.
    for iteration, predictors in enumerate(model._predictors):  # noqa: SLF001
        for target, predictor in enumerate(predictors):
            for number, node in enumerate(predictor.nodes):
                at = iteration * classes + target, number
                if node["is_leaf"]:
                    trees.add_leaf(at, target, float(node["value"]))
                else:
                    trees.add_split(
                        at,
                        int(node["feature_idx"]),
                        float(node["num_threshold"]),
                        (int(node["left"]), int(node["right"])),
                        missing_left=bool(node["missing_go_to_left"]),
                    )
    trees.add_to(scope, operator, container, classes, model._baseline_prediction.ravel())  # noqa: SLF001
