"""A prediction: what it is of, three probabilities that sum to one, and where they come from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from matchcast.domain.match_id import is_match_id
from matchcast.echo import quoted
from matchcast.errors import MatchNotFound

OUTCOMES = ("home", "draw", "away")
"""What a model gives probabilities of, in the order of its outputs."""
RESULTS = ("H", "D", "A")
"""The result codes of match files, in the order of `OUTCOMES`."""

SUM_TOLERANCE = 1e-3
"""How far from 1 the sum of a model's float32 outputs may be; answers are renormalised."""
ROUNDING = 1e-6
"""How far rounding may bring an output below 0 or above 1, and the sum of published probabilities from 1."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What to predict: a match of the snapshot by its id, or the caller's own features; exactly one of them.

    Raises
    ------
    ValueError
        If both are given, or none.
    """

    match_id: str | None = None
    features: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if (self.match_id is None) == (self.features is None):
            raise ValueError("send either match_id or features")

    @classmethod
    def of_match(cls, match_id: str) -> Subject:
        """Return the match of an id that a client sent.

        Raises
        ------
        MatchNotFound
            If the text does not have the form of a match id.
        """
        if not is_match_id(match_id):
            raise MatchNotFound(f"{quoted(match_id)} is no match id; ids look like e0-2024-08-16-man-united-fulham.")
        return cls(match_id=match_id)


class ModelRef(BaseModel):
    """The exact model version that made a prediction."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    name: str
    version: str
    stage: str
    run_id: str


class Prediction(BaseModel):
    """Probabilities of a home win, a draw and an away win; their sum is 1 within 1e-9."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    match_id: str | None = Field(description="The match; null when the caller sent features.")
    home: float = Field(ge=0, le=1, description="Probability that the home team wins.")
    draw: float = Field(ge=0, le=1, description="Probability of a draw.")
    away: float = Field(ge=0, le=1, description="Probability that the away team wins.")
    model: ModelRef
    features_as_of: datetime | None = Field(
        default=None, description="When the features were current; null for the caller's own features."
    )
    snapshot_id: str | None = Field(
        default=None, description="Snapshot the features came from; null for the caller's own features."
    )
    cached: bool = Field(default=False, description="Whether the answer came from the result cache.")
    predicted_at: datetime
    duration_ms: float = Field(ge=0, description="Time that the model took for the call, in milliseconds.")


def renormalise(home: float, draw: float, away: float) -> tuple[float, float, float]:
    """Return the three float32 outputs of a model as float64 probabilities that sum to 1 within 1e-9.

    Raises
    ------
    ValueError
        If a value is not finite, is negative beyond rounding, or all three are zero.
    """
    values = (float(home), float(draw), float(away))
    if not all(math.isfinite(value) and value >= -ROUNDING for value in values):
        raise ValueError(f"the model gave invalid probabilities: {values}")
    clipped = [max(value, 0.0) for value in values]
    total = math.fsum(clipped)
    if total <= 0:
        raise ValueError(f"the model gave invalid probabilities: {values}")
    return clipped[0] / total, clipped[1] / total, clipped[2] / total
