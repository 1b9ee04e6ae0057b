"""Promotions that must pass and promotions that must not: equal models, and models that were made worse."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from matchcast.errors import ReleaseRefused
from matchcast.releases.switching import Attribution
from matchcast_tools.models.promote import promote_version
from matchcast_tools.models.registry import MODEL_NAME, TRAINED_UNTIL
from matchcast_tools.models.release_run import ReleaseRun
from matchcast_tools.models.train import fit
from matchcast_tools.models.training_set import TrainingSet, read_training_set
from matchcast_tools.models.trial import Trial
from tests.proofs.bench import Bench
from tests.proofs.timing import register_timed_model
from tests.support.mlflow_models import register

KEPT_SHARE = 0.9
"""What an equal model is refitted on: most of the same matches, other ones each time."""

Degrade = Callable[[Any, TrainingSet], Any]


@dataclass
class Promotions:
    """Candidates for the stack's champion, one after another."""

    work: Bench

    @property
    def matches(self) -> TrainingSet:
        """What the sample's champion has learnt from."""
        every = read_training_set(self.work.data)
        return every.before(every.last_season_starts())

    def equal(self, number: int) -> None:
        """Promote a model that is as good as the champion: trained alike, on another 90% of the same matches.

        Raises
        ------
        ReleaseRefused
            If it is stopped.
        """
        matches = self.matches
        kept = np.random.default_rng(number).random(len(matches)) < KEPT_SHARE
        self._promote(fit(matches.pick(kept)), matches)

    def degraded(self, degrade: Degrade) -> str | None:
        """Try to promote a model that was made worse; return what stopped it, None where nothing did."""
        matches = self.matches
        try:
            self._promote(degrade(fit(matches), matches), matches)
        except ReleaseRefused as error:
            return error.detail
        return None

    def slow(self) -> str | None:
        """Try to promote a model that takes half a second; return what stopped that, None where nothing did."""
        tags = {TRAINED_UNTIL: self.matches.last_day.isoformat()}
        timed = register_timed_model(self.work.tracking, "candidate", self.work.folder / "half-a-second", tags)
        timed.behave(seconds=0.5)
        try:
            self._promote_candidate()
        except ReleaseRefused as error:
            # It is another model as well, and stopped for more than this.
            return next((line for line in error.detail.splitlines() if "latency_ms" in line), None)
        return None

    def _promote(self, model: Any, matches: TrainingSet) -> None:
        inputs = [("float", name) for name in matches.features]
        tags = {TRAINED_UNTIL: matches.last_day.isoformat()}
        register(self.work.tracking, model, name=MODEL_NAME, alias="candidate", inputs=inputs, tags=tags)
        self._promote_candidate()

    def _promote_candidate(self) -> None:
        run = ReleaseRun(
            objects=self.work.bucket,
            tracking=self.work.tracking,
            runtimes=("onnx", "pyfunc"),
            attribution=Attribution("prove-releases", None),
        )
        promote_version(run, "candidate", Trial(data_dir=self.work.data))


def _with_coefficients(change: Callable[[Any], Any]) -> Degrade:
    def degrade(model: Any, _: TrainingSet) -> Any:
        worse = copy.deepcopy(model)
        worse[-1].coef_, worse[-1].intercept_ = change(worse[-1].coef_), change(worse[-1].intercept_)
        return worse

    return degrade


def _without_signal(model: Any, _: TrainingSet) -> Any:
    worse = copy.deepcopy(model)
    worse[-1].coef_ = np.zeros_like(worse[-1].coef_)
    return worse


def _shuffled(_: Any, matches: TrainingSet) -> Any:
    outcomes = np.random.default_rng(0).permutation(matches.outcomes)
    return fit(replace(matches, outcomes=outcomes))


DEGRADED: Mapping[str, Degrade] = {
    "home and away mixed up": _with_coefficients(lambda values: values[::-1].copy()),
    "trained on shuffled results": _shuffled,
    "only the base rates": _without_signal,
    "overconfident: every probability squared": _with_coefficients(lambda values: values * 2),
    "underconfident: the fourth root of every probability": _with_coefficients(lambda values: values / 4),
    "signs turned round": _with_coefficients(lambda values: -values),
    "no number": _with_coefficients(lambda values: values * np.nan),
}
"""Ways to make a model worse."""
