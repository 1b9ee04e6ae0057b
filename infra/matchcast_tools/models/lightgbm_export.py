"""LightGBM's trees as ONNX: each decides as LightGBM does, for every float32 and for missing values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from matchcast.adapters.onnx_model import CLASSES
from matchcast.errors import ReleaseRefused
from matchcast_tools.models.tree_export import Trees, Unsupported, register

OBJECTIVE = "multiclass"

Node = Mapping[str, Any]


class BoosterClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A LightGBM `Booster` in the clothes of a classifier of scikit-learn, which is what can be exported."""

    def __init__(self, booster_: Any) -> None:
        self.booster_ = booster_
        self.classes_ = np.arange(CLASSES)

    @classmethod
    def of(cls, what: str, booster: Any) -> BoosterClassifier:
        """Return a booster as a classifier; `what` names it in errors.

        Raises
        ------
        ReleaseRefused
            If it does not give three probabilities.
        """
        classes = booster.num_model_per_iteration()
        if classes != CLASSES:
            raise ReleaseRefused(
                f"{what} is a LightGBM booster with {classes} outputs, not 3 for home, draw and away. "
                f"Train it with objective='{OBJECTIVE}' and num_class=3."
            )
        return cls(booster)


def register_lightgbm() -> None:
    """Teach skl2onnx the classifiers of LightGBM."""
    from lightgbm import LGBMClassifier

    register(LGBMClassifier, _convert)
    register(BoosterClassifier, _convert)


def trees_of(dump: Mapping[str, Any]) -> Trees:
    """Return the trees of what `Booster.dump_model` returns.

    Raises
    ------
    Unsupported
        If a tree has something that ONNX lacks.
    """
    classes = dump["num_tree_per_iteration"]
    iterations = len(dump["tree_info"]) // classes
    # A random forest gives the mean of its trees.
    share = 1 / iterations if dump.get("average_output") else 1.0
    trees = Trees()
    for number, tree in enumerate(dump["tree_info"]):
        for node_id, node, children in _numbered(tree["tree_structure"]):
            at = number, node_id
            if children is None:
                if "leaf_coeff" in node:
                    raise Unsupported("it has linear models in its leaves (linear_tree)")
                trees.add_leaf(at, number % classes, float(node["leaf_value"]) * share)
                continue
            if node["decision_type"] != "<=":
                raise Unsupported("it has splits by category")
            threshold = float(node["threshold"])
            missing_left = _missing_goes_left(node, threshold)
            trees.add_split(at, node["split_feature"], threshold, children, missing_left=missing_left)
    return trees


def _numbered(root: Node) -> Iterator[tuple[int, Node, tuple[int, int] | None]]:
    """Yield each node of a tree with its number and those of its children, breadth first; a leaf has None."""
    waiting, given = [root], 1
    for number, node in enumerate(waiting):
        if "split_index" not in node:
            yield number, node, None
            continue
        waiting += [node["left_child"], node["right_child"]]
        yield number, node, (given, given + 1)
        given += 2


def _missing_goes_left(node: Node, threshold: float) -> bool:
    """Tell where a missing value goes, as `Tree::NumericalDecision` of LightGBM decides it."""
    zero_goes_left = threshold >= 0
    default_left = bool(node["default_left"])
    match node["missing_type"]:
        case "NaN":
            return default_left
        case "None":
            return zero_goes_left
        case _ if default_left == zero_goes_left:
            return default_left
        case _:
            raise Unsupported("zero counts as missing in it (zero_as_missing)")


def _convert(scope: Any, operator: Any, container: Any) -> None:
    """Add the nodes of a classifier to a graph (a converter of skl2onnx)."""
    dump = operator.raw_operator.booster_.dump_model()
    objective = str(dump.get("objective", "of its own"))
    if objective.split(maxsplit=1)[0] != OBJECTIVE:
        raise Unsupported(f"its objective is {objective}, not {OBJECTIVE}")
    trees_of(dump).add_to(scope, operator, container, dump["num_tree_per_iteration"])
