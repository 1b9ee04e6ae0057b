"""What a pyfunc model is asked, and what its answer has to be: typed columns in, three probabilities a row out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matchcast.domain.prediction import OUTCOMES
from matchcast.domain.signature import Signature
from matchcast.errors import ModelFailed

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from matchcast.ports import Rows

# Flavors whose models may have `predict_proba`, whatever MLflow was configured to call.
CLASSIFIERS = frozenset({"lightgbm", "sklearn"})


def probabilities(pyfunc: Any, signature: Signature, rows: Rows) -> npt.NDArray[np.float64]:
    """Return what a loaded pyfunc model makes of float32 rows (n, columns): float64 of shape (n, 3).

    A row that lacks a whole number that the model requires has no answer: it gets NaN.

    Raises
    ------
    ModelFailed
        If the rows are of another width, the model raises something, or it answers with anything but three
        numbers a row.
    """
    import numpy as np

    if rows.shape[1:] != (len(signature.inputs),):
        raise ModelFailed(f"The model was given rows of shape {rows.shape}; it has {len(signature.inputs)} columns.")
    whole = np.array([not column.dtype.startswith("float") for column in signature.inputs])
    required = np.array([column.required for column in signature.inputs])
    missing = whole & ~np.isfinite(rows)
    found = np.full((len(rows), len(OUTCOMES)), np.nan)
    # Integers know no NaN, so rows that lack one are asked without that column: one call for all rows, as a rule.
    for pattern in np.unique(missing, axis=0):
        if not (pattern & required).any():
            alike = (missing == pattern).all(axis=1)
            found[alike] = _answer(pyfunc, typed_frame(signature, rows[alike], without=pattern))
    return found


def typed_frame(signature: Signature, rows: Rows, without: npt.NDArray[np.bool_] | None = None) -> pd.DataFrame:
    """Return rows as the named and typed columns of a signature, without those columns that a mask marks."""
    import pandas as pd

    return pd.DataFrame(
        {
            column.name: rows[:, position].astype(column.dtype)
            for position, column in enumerate(signature.inputs)
            if without is None or not without[position]
        }
    )


def _answer(pyfunc: Any, frame: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Ask the model once and return its answer as an array of the right shape."""
    import numpy as np
    import pandas as pd

    try:
        answer = _ask(pyfunc, frame)
        if isinstance(answer, pd.DataFrame) and set(answer.columns) == set(OUTCOMES):
            answer = answer[list(OUTCOMES)]
        found = np.asarray(answer, dtype=np.float64)
    # A model is foreign code and may raise anything: here all of it becomes one error.
    except Exception as error:
        raise ModelFailed(
            f"The model could not predict {len(frame)} rows ({type(error).__name__}: {error})."
        ) from error
    if found.shape != (len(frame), len(OUTCOMES)):
        raise ModelFailed(
            f"The model answered {len(frame)} rows with an array of shape {found.shape}, expected "
            f"({len(frame)}, 3): the probabilities of home, draw and away. A classifier of scikit-learn is logged with "
            "`pyfunc_predict_fn='predict_proba'`."
        )
    return found


def _ask(pyfunc: Any, frame: pd.DataFrame) -> Any:
    """Return probabilities: MLflow may be configured to call `predict`, which gives a classifier's labels."""
    if CLASSIFIERS & set(pyfunc.metadata.flavors):
        classifier = pyfunc.get_raw_model()
        if hasattr(classifier, "predict_proba"):
            # Without names where it learnt none: scikit-learn would warn of them with every call.
            named = hasattr(classifier, "feature_names_in_")
            return classifier.predict_proba(frame if named else frame.to_numpy())
    return pyfunc.predict(frame)
