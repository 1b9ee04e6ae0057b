"""Predictions of many matches by one model call."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from matchcast.domain.manifests import MODEL_MANIFEST_KEY
from matchcast.domain.prediction import Prediction, Subject
from matchcast.errors import (
    InferenceUnavailable,
    InvalidRequest,
    MatchNotFound,
    ModelCrashed,
    ModelFailed,
    ModelUnavailable,
    StageNotFound,
)
from tests.support.releases import MATCHES, SIGNATURE, SNAPSHOT_ID, Release
from tests.support.tasks import NOW

if TYPE_CHECKING:
    from matchcast.ports import Rows

SOME = list(MATCHES)[:5]


def test_one_call_answers_all_subjects_in_order_whatever_is_wrong_with_some() -> None:
    # GIVEN good and wrong subjects
    release = Release()
    subjects = [
        Subject(SOME[0]),
        Subject("e0-2020-01-01-no-body"),
        Subject(features={"elo_difference": 1.0, "form": 0.5}),
        Subject(features={"elo_difference": "high"}),
        Subject(SOME[1]),
    ]

    # WHEN they are predicted together
    answers = release.predictor().predict("champion", subjects)

    # THEN
    assert [type(answer) for answer in answers] == [Prediction, MatchNotFound, Prediction, InvalidRequest, Prediction]
    assert [answer.match_id for answer in answers if isinstance(answer, Prediction)] == [SOME[0], None, SOME[1]]
    assert release.model.calls == [3]


def test_a_match_is_predicted_from_its_own_features() -> None:
    # GIVEN
    predictor = Release().predictor()

    # WHEN a match is predicted, and then its features
    of_match = predictor.predict_one("champion", Subject(SOME[3]))
    elo_difference, form = MATCHES[SOME[3]]
    of_features = predictor.predict_one("champion", Subject(features={"elo_difference": elo_difference, "form": form}))

    # THEN
    assert (of_match.home, of_match.draw, of_match.away) == (of_features.home, of_features.draw, of_features.away)
    assert (of_match.snapshot_id, of_match.features_as_of) == (SNAPSHOT_ID, NOW)
    assert (of_features.snapshot_id, of_features.features_as_of) == (None, None)


def test_the_same_match_gives_the_same_probabilities_alone_and_among_others() -> None:
    # GIVEN
    predictor = Release().predictor()

    # WHEN matches are predicted one by one, and together
    alone = [predictor.predict_one("champion", Subject(match_id)) for match_id in SOME]
    together = predictor.predict("champion", [Subject(match_id) for match_id in SOME])

    # THEN
    for one, other in zip(alone, together, strict=True):
        assert isinstance(other, Prediction)
        assert one.home == pytest.approx(other.home, abs=1e-6)
        assert math.fsum((other.home, other.draw, other.away)) == pytest.approx(1, abs=1e-9)


def test_an_unknown_stage_concerns_every_ask() -> None:
    with pytest.raises(StageNotFound, match="champion"):
        Release().predictor().predict("smoke", [Subject(SOME[0])])


def test_a_model_that_answers_nan_has_failed_and_says_so() -> None:
    release = Release()
    release.model.answer = np.array([[np.nan, 0.5, 0.5]], np.float32)

    with pytest.raises(ModelFailed, match="Version 3"):
        release.predictor().predict_one("champion", Subject(SOME[0]))


def test_features_on_which_the_model_overflows_are_the_callers_fault() -> None:
    release = Release()
    release.model.answer = np.array([[np.nan, np.nan, np.nan]], np.float32)
    features = dict.fromkeys(SIGNATURE.names, 3e38)

    with pytest.raises(InvalidRequest) as caught:
        release.predictor().predict_one("champion", Subject(features=features))

    assert [error.pointer for error in caught.value.errors] == ["/features"]


def test_a_broken_model_fails_only_what_it_was_asked() -> None:
    release = Release()
    release.model.broken = True

    answers = release.predictor().predict("champion", [Subject(SOME[0]), Subject("e0-2020-01-01-no-body")])

    assert [type(answer) for answer in answers] == [ModelFailed, MatchNotFound]


def test_without_a_published_model_nothing_is_predicted() -> None:
    release = Release()
    release.objects.put(MODEL_MANIFEST_KEY, b"{")

    with pytest.raises(ModelUnavailable):
        release.predictor().predict("champion", [Subject(SOME[0])])


def test_rows_after_one_that_crashes_the_model_come_again() -> None:
    # GIVEN a model that one row crashes, alone and among others
    release = Release()
    poison = 77.0
    predict = release.model.predict

    def crash(rows: Rows) -> Rows:
        if (rows == poison).any():
            raise ModelCrashed("it ended its process")
        return predict(rows)

    release.model.predict = crash  # type: ignore[method-assign]
    good, bad = Subject(SOME[0]), Subject(features={"elo_difference": poison, "form": 0.5})

    # WHEN
    answers = release.predictor().predict("champion", [good, bad, good, good])

    # THEN the model is not started again and again within one receive
    assert [type(answer) for answer in answers] == [Prediction, ModelCrashed, *[InferenceUnavailable] * 2]
    assert release.model.calls == [1]
