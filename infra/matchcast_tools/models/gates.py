"""The gates of a promotion: each a figure with its limit.

The limits' defaults come from measurements, see `infra/decisions/0028-promotion-gates.md`.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from matchcast.domain.prediction import SUM_TOLERANCE
from matchcast.errors import ReleaseRefused
from matchcast_tools.errors import BadInput

STANDARD_ERRORS = 3
NEWEST = 2000
"""How many settled matches, and how many fixtures, the golden set takes."""
LOSS_AT_MOST = 0.02
"""A log loss that is higher by this much is refused however uncertain it is."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a candidate may be at most; natural logarithms, milliseconds, probabilities.

    Attributes
    ----------
    loss
        How much higher its log loss may be than the present model's, beyond three standard errors of the
        difference; more than 0.02 is never let through, unless this is higher.
    drift, drift_of_one
        The total variation distance to the present model (half the sum of the absolute differences of the three
        probabilities, 0 to 1): its mean over the rows, and that of any row.
    latency_ms
        The median time of one row.
    settled
        The least number of settled matches that neither model has learnt from.
    sum
        How far the three probabilities may be from 1 together.
    """

    loss: float = 0.005
    drift: float = 0.07
    drift_of_one: float = 0.5
    latency_ms: float = 100.0
    settled: int = 200
    sum: float = SUM_TOLERANCE

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if not getattr(self, name) >= 0:
                raise BadInput(f"The limit of {name} is {getattr(self, name)}; give 0 or more.")

    def loss_difference(self, standard_error: float) -> float:
        """Return how much higher the log loss may be, with a difference that is as uncertain as this."""
        return max(self.loss, min(self.loss + STANDARD_ERRORS * standard_error, LOSS_AT_MOST))


@dataclass(frozen=True, slots=True)
class Gate:
    """One figure with its limit, what it is, and what to do where it fails; None could not be measured."""

    name: str
    figure: float | None
    limit: float
    passed: bool
    detail: str
    remedy: str = ""

    @classmethod
    def at_most(cls, name: str, figure: float, limit: float, detail: str, remedy: str = "") -> Gate:
        """Return a gate that stops what is above the limit, or no number at all."""
        return cls(name, figure if math.isfinite(figure) else None, limit, bool(figure <= limit), detail, remedy)

    @property
    def explanation(self) -> str:
        """Return what it is, and where it fails what to do."""
        return self.detail if self.passed or not self.remedy else f"{self.detail}. {self.remedy}"


@dataclass(frozen=True, slots=True)
class GateReport:
    """Every gate, and further figures for the history."""

    gates: tuple[Gate, ...]
    extra: dict[str, float]

    @property
    def passed(self) -> bool:
        """Tell whether no gate stops the candidate."""
        return all(gate.passed for gate in self.gates)

    @property
    def failed(self) -> list[Gate]:
        """Return the gates that stop the candidate."""
        return [gate for gate in self.gates if not gate.passed]

    @property
    def figures(self) -> dict[str, float]:
        """Return what was measured, by name."""
        return {gate.name: gate.figure for gate in self.gates if gate.figure is not None} | self.extra


def gates_as_dict(report: GateReport | None) -> dict[str, Any]:
    """Return the gates and what else was measured, as JSON has them; None is of a version that was not measured."""
    return {
        "passed": None if report is None else report.passed,
        "gates": [] if report is None else [asdict(gate) for gate in report.gates],
        "figures": {} if report is None else report.figures,
    }


class GatesFailed(ReleaseRefused):
    """A gate stopped a candidate; `report` has every figure with its limit."""

    code = "gates-failed"
    title = "Gates failed"

    def __init__(self, detail: str, report: GateReport) -> None:
        super().__init__(detail)
        self.report = report
