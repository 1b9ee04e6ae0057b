"""Real match files: exact counts, each explained, and the published reference figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from matchcast.snapshots import scoring
from matchcast_tools.dataset import store
from matchcast_tools.evaluation.bookmaker import evaluate_book, read_files, select
from matchcast_tools.features.build import build_features
from matchcast_tools.importing.books import parse_price
from matchcast_tools.importing.import_files import import_paths
from matchcast_tools.importing.match_file import parse_match_file
from matchcast_tools.importing.merging import Dataset
from tests.support.match_files import real_data

pytestmark = pytest.mark.real_data

# rows, blank, played, awarded, abandoned, fixtures, repaired, skipped, odds, rejected
SAMPLES = {
    # No odds at all, and 90 rows of commas.
    "01_E0_1993-94_no-odds_blank-rows.csv": (462, 90, 462, 0, 0, 0, 0, 0, 0, 0),
    # 45 rows are longer than the header, by blank cells; the no-break spaces stand before referees' names.
    "03_E0_2004-05_nbsp-0xA0_ragged.csv": (380, 0, 380, 0, 0, 0, 45, 0, 2658, 0),
    # 35 longer rows; LB, LB, LB are Ladbrokes' three odds.
    "04_D2_2004-05_dup-header-LB_blank-header-cols.csv": (306, 0, 306, 0, 0, 0, 35, 0, 1942, 0),
    # Niki Volos withdrew and OFI was punished: 25 results were awarded 3-0, two of them with odds; one has no score.
    "07_G1_2014-15_unplayed-match.csv": (306, 46, 280, 25, 0, 1, 0, 0, 2699, 0),
    # Panathinaikos - Olympiakos: half-time cells are filled, the final score is blank.
    "08_G1_2018-19_abandoned-match_yyyy-dates.csv": (240, 0, 239, 0, 1, 0, 0, 0, 2103, 0),
    "10_E0_2019-20_time-col_new-closing-cols.csv": (380, 0, 380, 0, 0, 0, 0, 0, 6080, 0),
    # Line 50: a best price of 3.99 for a draw that no bookmaker can have meant (sum of 1/odds 0.87).
    "13_E0_2024-25_utf8-bom_lf.csv": (380, 0, 380, 0, 0, 0, 0, 0, 6365, 1),
    # Chapecoense's last match of 2016 was not played; one best price is 0, five sums of 1/odds are below 0.9.
    "15_BRA_extra-league-format_bom.csv": (5497, 0, 5496, 0, 0, 1, 0, 0, 17404, 6),
    "18_SC0_2021-22_four-meetings-per-pair.csv": (228, 0, 228, 0, 0, 0, 0, 0, 3641, 0),
}

B365 = {
    "B1": (1738, 0.9934, -5.26),
    "D1": (2142, 0.9850, -1.27),
    "E0": (2660, 0.9616, -1.19),
    "E1": (3863, 1.0346, -3.48),
    "F1": (2556, 0.9870, -4.52),
    "I1": (2658, 0.9463, -10.58),
    "N1": (2067, 0.9407, -6.49),
    "P1": (2142, 0.9259, -6.44),
    "SC0": (1545, 0.9543, -8.19),
    "SP1": (2660, 0.9537, -4.75),
    "T1": (2247, 0.9997, -4.67),
}


@pytest.fixture(scope="module")
def seasons() -> Path:
    return real_data() / "season-files.zip"


@pytest.fixture(scope="module")
def dataset(seasons: Path) -> Dataset:
    return read_files([seasons])[0]


def figures(dataset: Dataset, book: str) -> dict[str, Any]:
    return evaluate_book(select(dataset, parse_price(book)), "multiplicative")


@pytest.mark.parametrize("name", SAMPLES)
def test_each_sample_file_has_exactly_these_counts(name: str) -> None:
    report = parse_match_file(name, (real_data() / "samples" / name).read_bytes()).report

    assert (
        *(report.rows, report.blank_rows, report.played, report.awarded, report.abandoned, report.fixtures),
        *(report.repaired, report.skipped, report.odds, report.odds_rejected),
    ) == SAMPLES[name]


def test_the_season_files_are_77_and_hold_26293_played_matches_and_3_awarded_ones(
    seasons: Path, tmp_path: Path
) -> None:
    report = import_paths([seasons], tmp_path)

    assert len(report.files) == 77
    assert report.total("rows") == report.changes.added == report.matches == 26_296
    # Bolton - Brentford, Bastia - Lyon and Sassuolo - Pescara have odds, and no half-time score.
    assert (report.total("played"), report.total("awarded")) == (26_293, 3)
    assert (report.total("skipped"), report.total("repaired"), report.total("odds_rejected")) == (0, 0, 14)
    assert set(store.read_matches(tmp_path)["season"].to_pylist()) == {f"20{y}/{y + 1}" for y in range(14, 21)}
    assert report.seconds < 20


def test_bet365_has_the_published_figures(dataset: Dataset) -> None:
    # WHEN
    found = figures(dataset, "B365")

    # THEN
    assert found["rows"] == 26_278
    assert [round(found[name], 4) for name in ("overround", "log_loss", "brier", "rps")] == [
        *(1.0536, 0.9747, 0.5800, 0.1975),
    ]
    assert [round(found[name], 2) for name in ("accuracy", "roi_home", "roi_draw", "roi_away", "roi_favourite")] == [
        *(52.77, -4.99, -6.65, -7.69, -4.17),
    ]
    assert {
        part["division"]: (part["rows"], round(part["log_loss"], 4), round(part["roi_home"], 2))
        for part in found["per_division"]
    } == B365


def test_pinnacles_closing_odds_have_the_published_figures(dataset: Dataset) -> None:
    # WHEN
    found = figures(dataset, "PSC")

    # THEN
    assert found["rows"] == 26_276
    assert [round(found[name], 4) for name in ("overround", "log_loss", "brier", "rps")] == [
        *(1.0259, 0.9715, 0.5779, 0.1966),
    ]
    assert [round(found[name], 2) for name in ("accuracy", "roi_home", "roi_draw", "roi_away", "roi_favourite")] == [
        *(52.79, -2.48, -3.84, -5.02, -2.09),
    ]


def test_the_base_rate_has_the_published_figures(dataset: Dataset) -> None:
    results = np.array(["HDA".index(result) for result in dataset.matches["result"].to_pylist()])
    base = scoring.base_rate(results)

    assert np.round(100 * base[0], 2).tolist() == [44.37, 25.11, 30.53]
    assert round(float(scoring.log_losses(base, results).mean()), 4) == 1.0698
    assert round(float(scoring.brier_scores(base, results).mean()), 4) == 0.6469
    assert round(float(scoring.ranked_scores(base, results).mean()), 4) == 0.2295


def test_a_plain_model_on_the_features_is_good_but_no_better_than_the_bookmaker(seasons: Path, tmp_path: Path) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    # GIVEN features of all matches, and a model of the seasons until 2018/19
    import_paths([seasons], tmp_path)
    report = build_features(tmp_path)
    table = (
        store.decode(store.read_matches(tmp_path)).join(store.read_features(tmp_path), "match_id").sort_by("match_id")
    )
    rows = np.column_stack([table[name].to_numpy() for name in report.columns])
    results = np.array(["HDA".index(result) for result in table["result"].to_pylist()])
    later = np.array([season >= "2019/20" for season in table["season"].to_pylist()])
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.05, max_iter=1000)).fit(
        rows[~later], results[~later]
    )

    # WHEN it forecasts the two seasons after that
    chances = model.predict_proba(rows[later])

    # THEN it is better than a plain Elo model, and no leak makes it better than the market
    assert 0.9877 < scoring.log_losses(chances, results[later]).mean() < 1.003
    assert 0.2015 < scoring.ranked_scores(chances, results[later]).mean() < 0.206
    assert report.seconds < 10
