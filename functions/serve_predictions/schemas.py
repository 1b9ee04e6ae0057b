"""Answers of serve_predictions, as the OpenAPI document shows them; the rows are encoded when a snapshot is loaded."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from matchcast.domain.prediction import ModelRef
from matchcast.domain.scorecard import Scorecard
from matchcast.snapshots.serve import HealthStatus


class Fixture(BaseModel):
    """Who plays when."""

    match_id: str = Field(examples=["e0-2026-03-07-alder-birch"])
    kickoff: datetime = Field(examples=["2026-03-07T15:00:00Z"])
    region: str = Field(examples=["england"])
    league: str = Field(examples=["Premier League"])
    home_team: str = Field(examples=["Alder"])
    away_team: str = Field(examples=["Birch"])


class PredictionRow(Fixture):
    """A match and its probabilities."""

    home: float = Field(ge=0, le=1, description="Probability that the home team wins.", examples=[0.5])
    draw: float = Field(ge=0, le=1, description="Probability of a draw.", examples=[0.25])
    away: float = Field(ge=0, le=1, description="Probability that the away team wins.", examples=[0.25])
    pick: Literal["home", "draw", "away"] = Field(description="The most probable outcome.")
    confidence: float = Field(ge=0, le=1, description="Its probability.", examples=[0.5])


class PrecomputedPrediction(PredictionRow):
    """Everything that the snapshot says of one match."""

    model_config = ConfigDict(protected_namespaces=())

    snapshot_id: str
    model: ModelRef
    as_of: datetime = Field(description="When the features were current.")
    features: dict[str, float | None] = Field(description="What the model was given, by the names of its signature.")


class Quote(BaseModel):
    """A bookmaker's decimal odds."""

    bookmaker: str = Field(examples=["fonbet"])
    taken_at: datetime = Field(examples=["2026-03-06T12:00:00Z"])
    home_odds: float = Field(gt=1, examples=[2.1])
    draw_odds: float = Field(gt=1, examples=[3.4])
    away_odds: float = Field(gt=1, examples=[3.6])


class OddsRow(Quote):
    """A match and the bookmaker's odds."""

    match_id: str = Field(examples=["e0-2026-03-07-alder-birch"])
    kickoff: datetime = Field(examples=["2026-03-07T15:00:00Z"])


_IMPLIED = "1 / odds."
_MARGIN_FREE = "Implied probability / overround."
_FAIR_ODDS = "1 / the model's probability; null where that is 0."
_EDGE = "The model's probability x odds - 1."


class Card(PredictionRow, Quote):
    """A prediction with the bookmaker's odds."""

    overround: float = Field(
        description="Sum of the implied probabilities; what is over 1 is the bookmaker's margin.", examples=[1.048]
    )
    home_implied: float = Field(description=_IMPLIED, examples=[0.4762])
    draw_implied: float = Field(description=_IMPLIED, examples=[0.2941])
    away_implied: float = Field(description=_IMPLIED, examples=[0.2778])
    home_margin_free: float = Field(description=_MARGIN_FREE, examples=[0.4543])
    draw_margin_free: float = Field(description=_MARGIN_FREE, examples=[0.2806])
    away_margin_free: float = Field(description=_MARGIN_FREE, examples=[0.265])
    home_fair_odds: float | None = Field(description=_FAIR_ODDS, examples=[2])
    draw_fair_odds: float | None = Field(description=_FAIR_ODDS, examples=[4])
    away_fair_odds: float | None = Field(description=_FAIR_ODDS, examples=[4])
    home_edge: float = Field(description=_EDGE, examples=[0.05])
    draw_edge: float = Field(description=_EDGE, examples=[-0.15])
    away_edge: float = Field(description=_EDGE, examples=[-0.1])


class RegionRoi(BaseModel):
    """What betting on the model's edges would have returned in one region, by one unit a bet."""

    region: str = Field(examples=["england"])
    bets: int = Field(ge=0)
    staked: float = Field(ge=0)
    returned: float = Field(ge=0)
    roi: float | None = Field(description="(returned - staked) / staked; null without bets.")
    roi_low: float | None = Field(description="Lower end of its 95% interval.")
    roi_high: float | None = Field(description="Upper end of its 95% interval.")
    max_drawdown: float | None = Field(description="The deepest fall of the balance from a peak, in units.")
    since: date | None = Field(alias="from", description="First match day of the simulation.")
    until: date | None = Field(alias="to", description="Last match day of the simulation.")


class Page(BaseModel):
    """One page of a list, out of one snapshot."""

    next_cursor: str | None = Field(description="Pass it as `cursor` for the next page; null on the last one.")
    snapshot_id: str = Field(examples=["20260301T000000Z-0a1b2c3d"])
    as_of: datetime = Field(description="The latest information that the snapshot rests on.")
    stale: bool = Field(description="Whether the snapshot is older than it should be; it is served all the same.")
    total: int = Field(ge=0, description="Rows in the whole list, with these filters.")


class PredictionPage(Page):
    """Precomputed predictions, sorted by kick-off and match id."""

    items: list[PredictionRow]


class CardPage(Page):
    """Cards of the matches that the bookmaker quotes, sorted by kick-off and match id."""

    items: list[Card]


class OddsPage(Page):
    """The bookmaker's odds, sorted by kick-off and match id."""

    items: list[OddsRow]


class RegionRoiPage(Page):
    """Return on investment, region by region, then `all` of them together."""

    items: list[RegionRoi]


class SnapshotScorecard(Scorecard):
    """How good a snapshot's model was on matches played since it was trained, next to the bookmaker's odds."""

    snapshot_id: str = Field(examples=["20260301T000000Z-0a1b2c3d"])
    as_of: datetime = Field(description="The latest information that the snapshot rests on.")
    stale: bool = Field(description="Whether the snapshot is older than it should be; it is served all the same.")
    model: ModelRef = Field(description="The model that is scored.")


class HealthProblem(BaseModel):
    """Why the newest release is not the one that is served."""

    code: str
    detail: str


class SnapshotHealth(BaseModel):
    """The snapshot that answers come from; nulls where none could be read yet."""

    id: str | None
    as_of: datetime | None
    created_at: datetime | None
    age_seconds: float | None = Field(description="Since it was made.")
    stale: bool = Field(description="Whether it is older than it should be; it is served all the same.")
    newest_result: date | None = Field(description="The last match day with a result; null where it is not known.")
    results_age_seconds: float | None = Field(description="Since the beginning of that day.")
    results_stale: bool = Field(description="Whether that is too long ago: the data ends, however new the snapshot is.")
    problem: HealthProblem | None = Field(description="What is wrong with a newer snapshot, where there is one.")


class HealthReport(BaseModel):
    """How well requests can be answered, as the answering environment knows it."""

    model_config = ConfigDict(protected_namespaces=())

    status: HealthStatus
    snapshot: SnapshotHealth
    model: ModelRef | None = Field(description="The model that made the snapshot.")
