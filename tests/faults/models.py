"""The models behind their loader: what they answer is told by their file, and some rows make them fail."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from matchcast.errors import ModelFailed
from matchcast.ports import Model
from tests.faults.bucket import CURSED, EXPLODES, MODEL_FILE, WEIGHTS, features, is_close
from tests.faults.calls import Calls

if TYPE_CHECKING:
    from matchcast.domain.manifests import PublishedModel
    from matchcast.ports import Rows


@dataclass
class Models:
    """Makes the models of releases."""

    calls: Calls
    mended_at: float = math.inf
    """When that ends which fails again and again."""

    def loader(self, _: str) -> Any:
        """Return the `ModelLoader` of a runtime."""
        return self._load

    def _load(self, _: PublishedModel, files: Mapping[str, bytes]) -> Model:
        return _Model(self, json.loads(files[MODEL_FILE])["version"])


@dataclass
class _Model:
    models: Models
    version: str

    def predict(self, rows: Rows) -> Rows:
        """Return probabilities, shape (n, 3)."""
        models = self.models
        models.calls.think()
        is_mended = models.mended_at < math.inf
        if not is_mended and any(list(row) == list(EXPLODES.values()) for row in rows.tolist()):
            raise ModelFailed("It fails on these features.")
        with np.errstate(all="ignore"):
            powers = np.exp(rows @ WEIGHTS[self.version])
            answers: Rows = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
        if not is_mended:
            cursed = [features(number).get(CURSED) for number in (0, 1)]
            for place, row in enumerate(rows.tolist()):
                if any(is_close(row, one) for one in cursed if one is not None):
                    answers[place] = np.nan
        return answers
