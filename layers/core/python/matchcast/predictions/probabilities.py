"""One call of a model for many rows, and what its answer says: valid probabilities, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from matchcast.domain.prediction import OUTCOMES, ROUNDING
from matchcast.errors import MatchcastError, ModelFailed
from matchcast.ports import Model

if TYPE_CHECKING:
    import numpy.typing as npt

    from matchcast.ports import Rows


def ask(model: Model, rows: Rows) -> Rows:
    """Return what a model answers to float32 rows: shape (rows, 3).

    Raises
    ------
    ModelFailed
        If it raises anything that is no error of the product, or its answer has another shape.
    """
    try:
        output = model.predict(rows)
    except MatchcastError:
        raise
    # A model may be foreign code, and raise anything.
    except Exception as error:
        raise ModelFailed(f"The model raised {type(error).__name__} ({error}).") from error
    if output.shape != (len(rows), len(OUTCOMES)):
        raise ModelFailed(f"The model answered {len(rows)} rows with an array of shape {output.shape}.")
    return output


def renormalise_rows(output: Rows) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Return `domain.prediction.renormalise` of each row, and which rows are valid; the others have no meaning.

    Both agree within 1e-12: the sum of three float32 is all but exact in float64.
    """
    values = np.asarray(output, dtype=np.float64)
    usable = (np.isfinite(values) & (values >= -ROUNDING)).all(axis=1, keepdims=True)
    clipped = np.where(usable, np.maximum(values, 0.0), 0.0)
    total = clipped.sum(axis=1, keepdims=True)
    return clipped / np.where(total > 0, total, 1.0), total[:, 0] > 0
