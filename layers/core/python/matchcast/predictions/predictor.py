"""Predictions of many matches by one call of one model: on demand and for tasks alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from matchcast.domain.prediction import Prediction, Subject, renormalise
from matchcast.echo import quoted
from matchcast.errors import (
    FieldError,
    InferenceUnavailable,
    InvalidRequest,
    MatchcastError,
    MatchNotFound,
    ModelCrashed,
    ModelFailed,
    ModelUnavailable,
    ReleaseRefused,
)
from matchcast.ports import MatchRow
from matchcast.predictions.probabilities import ask
from matchcast.releases.served_models import LoadedModel, ServedModels
from matchcast.snapshots.features import FeatureRows


@dataclass(frozen=True, slots=True)
class _Row:
    subject: Subject
    values: Sequence[float]
    match: MatchRow | None = None


Answer = Prediction | MatchcastError

ALONE_SECONDS = 10.0
"""How long rows that failed together are tried one by one; the others come again."""


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
        return self._features.current()[0].snapshot_id

    def problem_of(self, stage: str) -> MatchcastError | None:
        """Return why the newest model of a stage or the newest features are not in use, or do not fit each other."""
        return self._served_models.problem_of(stage) or self._features.problem or self._misfit(stage)

    def _misfit(self, stage: str) -> MatchcastError | None:
        try:
            self._features.rows((), self._served_models.get(stage).published.signature.names)
        except MatchcastError as error:
            return error
        return None

    def predict_one(self, stage: str, subject: Subject) -> Prediction:
        """Return one prediction, or raise why there is none."""
        answer = self.predict(stage, [subject])[0]
        if isinstance(answer, MatchcastError):
            raise answer
        return answer

    def predict(self, stage: str, subjects: Sequence[Subject]) -> list[Answer]:
        """Return a prediction or an error for each subject, in order, by one model call and one version.

        Raises
        ------
        StageNotFound, ModelUnavailable
            If the stage has no model that could be loaded; this concerns every subject.
        """
        try:
            loaded = self._served_models.get(stage)
        except ReleaseRefused as error:
            raise ModelUnavailable(f"The model of stage {stage} cannot be served: {error.detail}") from error
        rows = self._rows(loaded, subjects)
        answers = iter(self._call(loaded, stage, [row for row in rows if isinstance(row, _Row)]))
        return [row if isinstance(row, MatchcastError) else next(answers) for row in rows]

    def _rows(self, loaded: LoadedModel, subjects: Sequence[Subject]) -> list[_Row | MatchcastError]:
        signature = loaded.published.signature
        wanted = [subject.match_id for subject in subjects if subject.match_id is not None]
        found: Mapping[str, MatchRow] = {}
        missing: MatchcastError | None = None
        if wanted:
            try:
                found = self._features.rows(wanted, signature.names)
            except MatchcastError as error:
                missing = error
        rows: list[_Row | MatchcastError] = []
        for subject in subjects:
            if subject.features is not None:
                try:
                    rows.append(_Row(subject, signature.row(subject.features)))
                except MatchcastError as error:
                    rows.append(error)
            elif (match := found.get(str(subject.match_id))) is not None:
                rows.append(_Row(subject, match.values, match))
            else:
                rows.append(
                    missing or MatchNotFound(f"No match of the snapshot has the id {quoted(str(subject.match_id))}.")
                )
        return rows

    def _call(self, loaded: LoadedModel, stage: str, rows: Sequence[_Row]) -> list[Answer]:
        """Call the model once for the rows and describe each of its answers.

        Rows that make it fail may fail because of one of them, so then each is tried alone, as long as there is time
        and none of them crashes it: the others come again.
        """
        if not rows:
            return []
        try:
            return self._ask(loaded, stage, rows)
        except ModelFailed as error:
            return [error] if len(rows) == 1 else self._call_for_each(loaded, stage, rows, error)

    def _call_for_each(
        self, loaded: LoadedModel, stage: str, rows: Sequence[_Row], failed: ModelFailed
    ) -> list[Answer]:
        answers: list[Answer] = []
        started = time.perf_counter()
        crashed = False
        for row in rows:
            if crashed or time.perf_counter() - started >= ALONE_SECONDS:
                answers.append(InferenceUnavailable(f"There was no time to try it alone: {failed.detail}"))
                continue
            answers += self._call(loaded, stage, [row])
            crashed = isinstance(answers[-1], ModelCrashed)
        return answers

    def _ask(self, loaded: LoadedModel, stage: str, rows: Sequence[_Row]) -> list[Answer]:
        started = time.perf_counter()
        output = ask(loaded.model, np.asarray([row.values for row in rows], dtype=np.float32))
        duration_ms = (time.perf_counter() - started) * 1000
        model, predicted_at = loaded.published.ref(stage), self._now()
        answers: list[Answer] = []
        for row, values in zip(rows, output.tolist(), strict=True):
            try:
                home, draw, away = renormalise(*values)
            except ValueError as error:
                detail = f"Version {model.version} of {model.name} failed: {error}."
                answers.append(_invalid_probabilities(row.subject, detail))
                continue
            answers.append(
                Prediction(
                    match_id=row.subject.match_id,
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


def _invalid_probabilities(subject: Subject, detail: str) -> MatchcastError:
    """Return whose fault they are: the caller's features may overflow the model, the snapshot's were checked."""
    if subject.features is None:
        return ModelFailed(detail)
    reason = "The model gives no probabilities for these features; send values like those it was trained on."
    return InvalidRequest(reason, [FieldError(detail=reason, pointer="/features")])
