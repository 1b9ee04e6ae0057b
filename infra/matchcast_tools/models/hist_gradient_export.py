"""Histogram gradient boosting of scikit-learn as ONNX, with the thresholds and missing values that it decides by."""

from __future__ import annotations

from typing import Any

from matchcast_tools.models.tree_export import Trees, Unsupported, register

LOSS = "log_loss"


def register_hist_gradient_boosting() -> None:
    """Teach skl2onnx `HistGradientBoostingClassifier`; its own one rounds thresholds to the nearest float32."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    register(HistGradientBoostingClassifier, _convert)


def _convert(scope: Any, operator: Any, container: Any) -> None:
    """Add the nodes of a classifier to a graph (a converter of skl2onnx)."""
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
