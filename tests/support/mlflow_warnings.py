"""What MLflow's own code warns about, for `pytestmark` of the modules that run it; warnings are errors otherwise."""

from __future__ import annotations

import pytest

MLFLOW_WARNINGS = [
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
    pytest.mark.filterwarnings("ignore:Operation with range is deprecated:DeprecationWarning"),
    # A model of a test that was fitted on a matrix; the product fits on named columns.
    pytest.mark.filterwarnings("ignore:X has feature names, but LogisticRegression was fitted without:UserWarning"),
]
