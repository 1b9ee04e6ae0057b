"""Answer a prediction on demand, before the caller's connection is cut."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from matchcast.domain.match_id import is_match_id
from matchcast.domain.prediction import Prediction
from matchcast.errors import MatchNotFound
from matchcast.ports import Inference


class PredictNow:
    """Asks the inference once, and never waits past the deadline."""

    def __init__(self, inference: Inference) -> None:
        self._inference = inference

    def match(self, match_id: str, stage: str, deadline: datetime) -> Prediction:
        """Return the prediction of a match of the snapshot.

        Raises
        ------
        MatchNotFound, StageNotFound
            If there is no such match, or no model under the stage.
        DeadlineExceeded, Transient, ModelFailed
            If there is no answer in time, or none at all.
        """
        if not is_match_id(match_id):
            raise MatchNotFound(f"{match_id!r} is no match id; ids look like e0-2024-08-16-man-united-fulham.")
        return self._inference.predict(stage=stage, match_id=match_id, features=None, deadline=deadline)

    def features(self, features: Mapping[str, Any], stage: str, deadline: datetime) -> Prediction:
        """Return the prediction for the caller's own features; wrong ones raise InvalidRequest."""
        return self._inference.predict(stage=stage, match_id=None, features=features, deadline=deadline)

    def model_info(self, stage: str, deadline: datetime) -> Mapping[str, Any]:
        """Return what is known of the model that a stage serves."""
        return self._inference.model_info(stage=stage, deadline=deadline)
