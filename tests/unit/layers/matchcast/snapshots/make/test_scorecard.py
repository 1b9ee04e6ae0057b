"""The scorecard of a snapshot is of its own predictions and odds."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.domain.manifests import SnapshotManifest
from matchcast.domain.scorecard import Scorecard
from tests.support.refreshes import TRAINED_UNTIL, dataset_table, model, refresh, table


class TestScorecard:
    def scorecard(self, objects: InMemoryObjects, manifest: SnapshotManifest) -> Scorecard:
        stored = objects.get(manifest.prefix + "scorecard.json")
        assert stored is not None
        return Scorecard.model_validate_json(manifest.files["scorecard.json"].verify(stored.body, "scorecard.json"))

    def test_is_of_the_predictions_and_odds_of_the_snapshot(self, objects: InMemoryObjects, data_dir: Path) -> None:
        # WHEN a snapshot is made
        manifest = refresh(objects)
        card = self.scorecard(objects, manifest)

        # THEN its scorecard agrees with the figures of its tables
        shown = table(objects, manifest, "predictions.parquet").to_pandas()
        settled = shown.merge(dataset_table(data_dir, "matches").to_pandas()[["match_id", "result"]]).dropna()
        both = settled.merge(
            table(objects, manifest, "odds.parquet").to_pandas(), on="match_id", suffixes=("", "_odds")
        )
        name = both["result"].map({"H": "home", "D": "draw", "A": "away"})
        raw = 1 / both[["home_odds", "draw_odds", "away_odds"]].to_numpy()
        chances = raw / raw.sum(axis=1, keepdims=True)
        book = [row[["home", "draw", "away"].index(came)] for row, came in zip(chances, name, strict=True)]
        assert (card.settled, card.rows) == (len(settled), len(both)) == (198, 165)
        assert card.overall is not None
        assert card.overall.model.log_loss.value == pytest.approx(
            -np.mean([np.log(row[came]) for (_, row), came in zip(both.iterrows(), name, strict=True)]), abs=1e-9
        )
        assert card.overall.bookmaker.log_loss.value == pytest.approx(-np.mean(np.log(book)), abs=1e-9)
        assert card.overall.since > TRAINED_UNTIL
        assert manifest.files["scorecard.json"].rows == card.rows

    def test_without_odds_scores_nothing_and_says_so(self, objects: InMemoryObjects) -> None:
        card = self.scorecard(objects, refresh(objects, bookmaker="unknown"))
        assert (card.bookmaker, card.settled, card.rows, card.overall) == ("unknown", 198, 0, None)
        assert (card.regions, card.seasons) == ([], [])

    def test_of_a_model_of_unknown_training_is_empty(self, objects: InMemoryObjects) -> None:
        manifest = refresh(objects, model(trained_until=None))
        assert self.scorecard(objects, manifest) == Scorecard.empty("fonbet")

    def test_of_a_model_that_has_seen_everything_is_empty(self, objects: InMemoryObjects) -> None:
        card = self.scorecard(objects, refresh(objects, model(trained_until=date(2100, 1, 1))))
        assert (card.settled, card.rows, card.overall) == (0, 0, None)
        assert card.base_rate is not None
        assert card.base_rate.rows == 600
