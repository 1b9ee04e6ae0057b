"""The scorecard: what a snapshot's predictions were worth on matches that have been played since."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

SHARE = "A fraction, 0 to 1."


class _Record(BaseModel):
    # No infinity and no NaN: JSON has neither, and an unknown figure is null.
    model_config = ConfigDict(frozen=True, protected_namespaces=(), populate_by_name=True, allow_inf_nan=False)


class Figure(_Record):
    """A mean over matches with its 95% interval (normal approximation: 1.96 standard errors to each side)."""

    value: float | None = Field(description="Null where one match makes it infinite.", examples=[0.9747])
    low: float | None = Field(description="Lower end of the interval; null for fewer than two matches.")
    high: float | None = Field(description="Upper end of the interval; null for fewer than two matches.")


class Scores(_Record):
    """How good probabilities were; less is better but for the accuracy."""

    log_loss: Figure = Field(description="Natural logarithm; null where an outcome came that was given no chance.")
    brier: Figure = Field(description="Sum of the squared errors over the three outcomes, 0 to 2.")
    rps: Figure = Field(description="Ranked probability score, 0 to 1.")
    accuracy: Figure = Field(description="Share of matches whose most probable outcome came; ties go to home first.")


class CalibrationBin(_Record):
    """What came of probabilities of about the same size; a bin without any is left out."""

    outcome: Literal["home", "draw", "away"]
    lower: float = Field(alias="from", ge=0, le=1, description="The least probability in the bin.")
    upper: float = Field(alias="to", ge=0, le=1, description="What all in the bin are below; the last one holds 1 too.")
    rows: int = Field(ge=1, description="How many probabilities.")
    predicted: float = Field(ge=0, le=1, description="Their mean.")
    observed: float = Field(ge=0, le=1, description="Share of them whose outcome came.")


class Calibration(_Record):
    """Predicted probabilities against what came: up to ten bins for each outcome."""

    model: list[CalibrationBin]
    bookmaker: list[CalibrationBin]


class ScorecardPart(_Record):
    """Scores of all matches, or of one region or season; every forecast is scored on the same matches."""

    name: str = Field(description="`all`, the region, or the season.", examples=["all"])
    rows: int = Field(ge=1, description="Matches.")
    since: date = Field(alias="from", description="Day of the first match.")
    until: date = Field(alias="to", description="Day of the last match.")
    model: Scores
    bookmaker: Scores = Field(
        description="1 / odds divided by their sum over the outcomes, from the last odds before kick-off."
    )
    base_rate: Scores | None = Field(description="Null where the data have no match that the model may have seen.")
    model_minus_bookmaker: Scores = Field(
        description="Mean of the differences match by match; below 0 the model is better, but for the accuracy."
    )
    calibration: Calibration


class BaseRate(_Record):
    """A forecast that is the same for every match: how played matches up to `trained_until` ended."""

    rows: int = Field(ge=1, description="Matches that it was counted on; none of them is scored.")
    home: float = Field(ge=0, le=1, description=SHARE)
    draw: float = Field(ge=0, le=1, description=SHARE)
    away: float = Field(ge=0, le=1, description=SHARE)


class Scorecard(_Record):
    """The model next to the bookmaker and the base rate, on matches played since the model was trained.

    Scored is what has a prediction, a result on the pitch, and odds that were known before kick-off.
    """

    bookmaker: str = Field(description="Whose odds they are.", examples=["fonbet"])
    trained_until: date | None = Field(
        description="The last match day that the model has seen; null if it is unknown, and then nothing is scored."
    )
    settled: int = Field(ge=0, description="Matches that were played after that day and have a prediction.")
    rows: int = Field(ge=0, description="Those of them that have odds: all that is scored.")
    base_rate: BaseRate | None = Field(description="Null where the data have no match that the model may have seen.")
    overall: ScorecardPart | None = Field(description="All of them; null where there is none.")
    regions: list[ScorecardPart] = Field(description="By region, in the order of their names.")
    seasons: list[ScorecardPart] = Field(description="By season, in the order of their names.")

    @classmethod
    def empty(cls, bookmaker: str) -> Scorecard:
        """Return the scorecard of a snapshot without scores."""
        return cls.model_validate(
            {"bookmaker": bookmaker, "settled": 0, "rows": 0, "regions": [], "seasons": []}
            | dict.fromkeys(("trained_until", "base_rate", "overall"))
        )
