"""Predictions of many matches by one call of one model: the heart that every mode of asking shares."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from matchcast.domain.prediction import Prediction, renormalise
from matchcast.errors import (
    FieldError,
    InvalidRequest,
    MatchcastError,
    MatchNotFound,
    ModelFailed,
    ModelUnavailable,
    ReleaseRefused,
)
from matchcast.ports import MatchRow
from matchcast.releases.served_models import LoadedModel, ServedModels
from matchcast.snapshots.features import FeatureRows


@dataclass(frozen=True, slots=True)
class Ask:
    """What to predict: a match of the snapshot, or the caller's own features."""

    match_id: str | None
    features: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class _Row:
    values: Sequence[float]
    match: MatchRow | None = None


Answer = Prediction | MatchcastError


class Predictor:
    """Predicts with the model that a stage serves."""

    def __init__(self, served_models: ServedModels, features: FeatureRows, now: Callable[[], datetime]) -> None:
        self._served_models = served_models
        self._features = features
        self._now = now

    @property
    def snapshot_id(self) -> str:
        """Return the snapshot whose features are read.

        Raises
        ------
        SnapshotUnavailable
            If none could ever be read.
        """
        return self._features.snapshot_id

    def problem_of(self, stage: str) -> MatchcastError | None:
        """Say why the newest model of a stage or the newest features are not in use, where they are not."""
        return self._served_models.problem_of(stage) or self._features.problem

    def predict_one(self, stage: str, ask: Ask) -> Prediction:
        """Return one prediction, or raise why there is none."""
        answer = self.predict(stage, [ask])[0]
        if isinstance(answer, MatchcastError):
            raise answer
        return answer

    def predict(self, stage: str, asks: Sequence[Ask]) -> list[Answer]:
        """Return a prediction or an error for each ask, in order, by one model call and one version.

        Raises
        ------
        StageNotFound, ModelUnavailable
            If the stage has no model that could be loaded; this concerns every ask.
        """
        try:
            loaded = self._served_models.get(stage)
        except ReleaseRefused as error:
            raise ModelUnavailable(f"The model of stage {stage} cannot be served: {error.detail}") from error
        rows = self._rows(loaded, asks)
        good = [row for row in rows if isinstance(row, _Row)]
        answers = iter(self._call(loaded, stage, asks, rows, good))
        return [row if isinstance(row, MatchcastError) else next(answers) for row in rows]

    def _rows(self, loaded: LoadedModel, asks: Sequence[Ask]) -> list[_Row | MatchcastError]:
        signature = loaded.published.signature
        wanted = [ask.match_id for ask in asks if ask.features is None and ask.match_id is not None]
        found: Mapping[str, MatchRow] = {}
        missing: MatchcastError | None = None
        if wanted:
            try:
                found = self._features.rows(wanted, signature.names)
            except ReleaseRefused as error:
                missing = ModelUnavailable(f"The snapshot does not fit the model: {error.detail}")
            except MatchcastError as error:
                missing = error
        rows: list[_Row | MatchcastError] = []
        for ask in asks:
            if ask.features is not None:
                try:
                    rows.append(_Row(signature.row(ask.features)))
                except MatchcastError as error:
                    rows.append(error)
            elif ask.match_id is not None and ask.match_id in found:
                match = found[ask.match_id]
                rows.append(_Row(match.values, match))
            else:
                rows.append(missing or MatchNotFound(f"No match of the snapshot has the id {ask.match_id}."))
        return rows

    def _call(
        self,
        loaded: LoadedModel,
        stage: str,
        asks: Sequence[Ask],
        rows: Sequence[_Row | MatchcastError],
        good: Sequence[_Row],
    ) -> list[Answer]:
        """Call the model once for the good rows and describe each of its answers."""
        if not good:
            return []
        started = time.perf_counter()
        try:
            output = loaded.model.predict(np.asarray([row.values for row in good], dtype=np.float32))
        except ModelFailed as error:
            return [error] * len(good)
        duration_ms = (time.perf_counter() - started) * 1000
        model, predicted_at = loaded.published.ref(stage), self._now()
        asked = (ask for ask, row in zip(asks, rows, strict=True) if isinstance(row, _Row))
        answers: list[Answer] = []
        for ask, row, values in zip(asked, good, output.tolist(), strict=True):
            try:
                home, draw, away = renormalise(*values)
            except ValueError as error:
                answers.append(_no_probabilities(ask, f"Version {model.version} of {model.name} failed: {error}."))
                continue
            answers.append(
                Prediction(
                    match_id=ask.match_id,
                    home=home,
                    draw=draw,
                    away=away,
                    model=model,
                    features_as_of=row.match.as_of if row.match else None,
                    snapshot_id=row.match.snapshot_id if row.match else None,
                    predicted_at=predicted_at,
                    duration_ms=duration_ms,
                )
            )
        return answers


def _no_probabilities(ask: Ask, detail: str) -> MatchcastError:
    """Return whose fault it is: features may be numbers that the model overflows on, a snapshot's were checked."""
    if ask.features is None:
        return ModelFailed(detail)
    reason = "The model gives no probabilities for these features; send values like those it was trained on."
    return InvalidRequest(reason, [FieldError(detail=reason, pointer="/features")])
