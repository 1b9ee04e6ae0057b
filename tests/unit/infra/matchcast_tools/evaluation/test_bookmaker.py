from __future__ import annotations

import math
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from matchcast.snapshots import scoring
from matchcast_tools.errors import BadInput
from matchcast_tools.evaluation.bookmaker import evaluate_book, figures, read_files, select
from matchcast_tools.evaluation.charts import draw
from matchcast_tools.evaluation.history import with_history
from matchcast_tools.evaluation.model import Forecaster, calibration, compare
from matchcast_tools.features.feature_row import FEATURE_COLUMNS
from matchcast_tools.importing.books import Price
from matchcast_tools.importing.import_files import import_paths
from matchcast_tools.importing.merging import Dataset
from matchcast_tools.sample.league import write_sample
from tests.support.forecasters import forecaster
from tests.support.match_files import SEASON_HEADER, League, csv_bytes, fixture_row, season_row, write

ROWS = [
    season_row("16/08/2014", "Hull", "Stoke", (1, 0), odds=("2.0", "3.5", "4.0")),
    season_row("17/08/2014", "Stoke", "Hull", (0, 0), odds=("1.5", "4.2", "7.0")),
    season_row("15/08/2015", "Hull", "Stoke", (0, 2), odds=("3.0", "3.0", "2.6"), division="E1"),
    season_row("22/08/2015", "Stoke", "Hull", (1, 1), odds=("0", "3.0", "2.6")),
    fixture_row("29/08/2015", "Hull", "Everton"),
]
TODAY = date(2026, 3, 14)


@pytest.fixture
def small(tmp_path: Path) -> Dataset:
    dataset, _ = read_files(write(tmp_path, {"a.csv": csv_bytes(ROWS)}))
    return dataset


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    dataset, _ = read_files(write_sample(tmp_path_factory.mktemp("sample"), TODAY))
    return dataset


def test_only_rows_with_a_score_and_three_odds_above_one_count(small: Dataset) -> None:
    # WHEN
    found = figures(select(small, Price("bet365")), "multiplicative")

    # THEN the figures are those of the three rows that count
    chances = [[1 / 2, 1 / 3.5, 1 / 4], [1 / 1.5, 1 / 4.2, 1 / 7], [1 / 3, 1 / 3, 1 / 2.6]]
    losses = [-math.log(row[won] / sum(row)) for row, won in zip(chances, (0, 1, 2), strict=True)]
    assert found["rows"] == 3
    assert found["log_loss"] == pytest.approx(sum(losses) / 3, abs=1e-6)
    assert found["overround"] == pytest.approx(sum(map(sum, chances)) / 3, abs=1e-6)
    assert (found["roi_home"], found["roi_draw"]) == (
        pytest.approx(100 * (2 - 3) / 3, abs=1e-5),
        pytest.approx(100 * (4.2 - 3) / 3, abs=1e-5),
    )
    assert found["roi_favourite"] == pytest.approx(100 * (2 + 2.6 - 3) / 3, abs=1e-5)
    assert found["accuracy"] == pytest.approx(100 * 2 / 3, abs=1e-5)


def test_a_typing_error_in_the_overround_is_the_books_own(tmp_path: Path) -> None:
    rows = [season_row(odds=("3.5", "1.2", "2.15"))]
    dataset, _ = read_files(write(tmp_path, {"a.csv": csv_bytes(rows)}))
    assert len(select(dataset, Price("bet365"))) == 1


def test_seasons_and_divisions_add_up_to_the_whole(small: Dataset) -> None:
    found = evaluate_book(select(small, Price("bet365")), "multiplicative")

    assert [(part["season"], part["rows"]) for part in found["per_season"]] == [("2014/15", 2), ("2015/16", 1)]
    assert [(part["division"], part["rows"]) for part in found["per_division"]] == [("E0", 2), ("E1", 1)]
    total = sum(part["rows"] * part["log_loss"] for part in found["per_division"])
    assert total / 3 == pytest.approx(found["log_loss"], abs=1e-5)
    assert found["base_rate"]["log_loss"] == pytest.approx(math.log(3), abs=1e-6)


def test_a_price_that_no_bookmaker_offers_is_refused_with_those_that_there_are(small: Dataset) -> None:
    with pytest.raises(BadInput, match=r"No match with a result has odds of fonbet. There are: bet365\."):
        select(small, Price("fonbet"))


def test_files_without_odds_are_refused(tmp_path: Path) -> None:
    header = SEASON_HEADER[:7]
    dataset, _ = read_files(write(tmp_path, {"a.csv": csv_bytes([season_row()], header)}))
    with pytest.raises(BadInput, match="There are no odds at all"):
        select(dataset, Price("bet365"))


def test_one_file_that_cannot_be_read_stops_the_evaluation(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is a web page"):
        read_files(write(tmp_path, {"a.csv": csv_bytes(ROWS), "b.csv": b"<html>"}))


def test_a_model_is_scored_with_the_book_on_matches_it_has_not_seen(sample: Dataset) -> None:
    # GIVEN
    scored = select(sample, Price("fonbet"))
    # WHEN
    comparison = compare(sample, scored, forecaster(), "multiplicative", 0.05)
    found = comparison.figures

    # THEN only matches after the model's last day count, for book and model alike
    later = [day for day in scored.days if day > date(2025, 3, 1)]
    assert found["rows"] == len(later) == len(comparison.model)
    assert min(comparison.scored.days) > date(2025, 3, 1)
    assert found["log_loss"] < found["model"]["log_loss"] < found["base_rate"]["log_loss"]
    assert found["model"]["trained_until"] == "2025-03-01"
    # THEN the interval of the difference holds it
    mean, low, high = found["intervals"]["model_minus_book"]["log_loss"]
    assert mean == pytest.approx(found["model"]["log_loss"] - found["log_loss"], abs=2e-6)
    assert 0 < low < mean < high
    # THEN seasons and divisions add up to the whole
    for parts in (found["per_season"], found["per_division"]):
        weighted = sum(part["rows"] * part["model"]["log_loss"] for part in parts) / found["rows"]
        assert weighted == pytest.approx(found["model"]["log_loss"], abs=1e-5)
    # THEN
    assert found["bets"][-1]["region"] == "all"
    assert found["bets"][-1]["bets"] == len(comparison.bets)
    assert comparison.bets["day"].min() > date(2025, 3, 1).toordinal()


def test_a_model_takes_its_history_from_the_dataset(tmp_path: Path) -> None:
    # GIVEN five seasons in the dataset, and a file of the last one
    paths = [path for path in write_sample(tmp_path / "sample", TODAY) if path.name.startswith("BN1")]
    import_paths(paths[:-1], tmp_path / "data")
    whole, last = read_files(paths)[0], read_files(paths[-1:])[0]
    model = forecaster(trained_until=min(last.matches["date"].to_pylist()) - timedelta(days=1))

    # WHEN the model is scored on the file with the dataset, on all files, and on the file alone
    scored = select(last, Price("fonbet"))
    known = compare(last, scored, model, "multiplicative", 0.05, history=with_history(last, tmp_path / "data"))
    same = compare(whole, select(whole, Price("fonbet")), model, "multiplicative", 0.05)
    cold = compare(last, scored, model, "multiplicative", 0.05, history=with_history(last, tmp_path / "empty"))

    # THEN the dataset takes the place of the earlier files, to the last digit
    assert known.model.tolist() == same.model.tolist() != cold.model.tolist()
    assert known.figures["base_rate"] == same.figures["base_rate"] != cold.figures["base_rate"]
    assert known.figures["history"] == {"stored_matches": len(whole.matches) - len(last.matches), "cold_regions": {}}
    # THEN without it the region that starts cold is named
    assert list(cold.figures["history"]["cold_regions"]) == ["Brennia"]


def test_the_base_rate_is_that_of_earlier_matches(sample: Dataset) -> None:
    # WHEN
    found = compare(sample, select(sample, Price("fonbet")), forecaster(), "multiplicative", 0.05)

    # THEN
    early = sample.matches.filter(pc.less_equal(sample.matches["date"], pa.scalar(date(2025, 3, 1))))
    shares = np.array([early["result"].to_pylist().count(letter) for letter in "HDA"]) / len(early)
    expected = -np.log(shares[found.scored.results]).mean()
    assert found.figures["base_rate"]["log_loss"] == pytest.approx(expected, abs=1e-6)
    assert found.figures["base_rate_of"] == "earlier matches"


def test_an_awarded_result_is_not_scored(tmp_path: Path) -> None:
    # GIVEN two seasons with half-time scores, and a match of the second without
    header = (*SEASON_HEADER, "HTHG", "HTAG")
    rows = [{**row, "HTHG": "0", "HTAG": "0"} for row in League().rows]
    rows[-1] |= {"FTHG": "3", "FTAG": "0", "FTR": "H", "HTHG": "", "HTAG": ""}
    dataset, _ = read_files(write(tmp_path, {"a.csv": csv_bytes(rows, header)}))

    # WHEN
    model = forecaster(trained_until=date(2015, 7, 1))
    comparison = compare(dataset, select(dataset, Price("bet365")), model, "multiplicative", 0.05)

    # THEN
    assert comparison.figures["rows"] == len(rows) // 2 - 1


def test_no_bets_are_placed_at_closing_odds(sample: Dataset) -> None:
    closing = select(sample, Price("pinnacle", closing=True))
    comparison = compare(sample, closing, forecaster(), "multiplicative", 0.0)
    assert comparison.figures["bets"] == []
    assert comparison.figures["model"]["log_loss"] > comparison.figures["log_loss"]


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (forecaster(trained_until=None), "It is not known which matches elo version 3 has seen"),
        (forecaster(trained_until=date(2030, 1, 1)), "was trained until 2030-01-01, and no match with odds is later"),
        (forecaster(features=("elo_difference", "weather")), "needs features that are not computed.*: weather"),
    ],
)
def test_a_model_that_cannot_be_compared_is_refused(sample: Dataset, model: Forecaster, reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        compare(sample, select(sample, Price("fonbet")), model, "multiplicative", 0.05)


def test_calibration_counts_each_probability_once_and_bounds_the_share() -> None:
    # GIVEN outcomes that are drawn from the probabilities themselves
    dice = np.random.default_rng(4)
    chances = dice.dirichlet([3, 2, 2], size=5000)
    results = np.array([dice.choice(3, p=row) for row in chances])

    # WHEN
    rows = calibration(chances, results)

    # THEN each probability is in one row, and most rows are calibrated
    assert sum(row["rows"] for row in rows) == 3 * 5000
    inside = [row["low"] <= row["predicted"] <= row["high"] for row in rows]
    assert sum(inside) >= 0.85 * len(inside)
    assert all(row["from"] <= row["predicted"] <= row["to"] for row in rows)
    assert all(row["low"] <= row["observed"] <= row["high"] for row in rows)


def test_the_picture_is_drawn_and_other_formats_are_refused(sample: Dataset, tmp_path: Path) -> None:
    # GIVEN
    comparison = compare(sample, select(sample, Price("fonbet")), forecaster(), "multiplicative", 0.05)

    # WHEN
    draw(comparison, tmp_path / "model.png")
    # THEN
    assert (tmp_path / "model.png").read_bytes().startswith(b"\x89PNG")

    # WHEN the format is unknown, or the folder is not there
    # THEN it is refused
    with pytest.raises(BadInput, match=r"End its name in \.png"):
        draw(comparison, tmp_path / "model.doc")
    with pytest.raises(BadInput, match="cannot be written"):
        draw(comparison, tmp_path / "nowhere" / "model.png")


def test_the_features_of_a_comparison_are_those_of_the_dataset() -> None:
    assert "elo_difference" in FEATURE_COLUMNS
    assert scoring.MARGINS[0] == "multiplicative"
