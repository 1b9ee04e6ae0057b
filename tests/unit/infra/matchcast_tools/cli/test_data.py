from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from matchcast_tools.cli import data
from matchcast_tools.errors import BadInput, exit_code
from matchcast_tools.models.tracking import Tracking
from matchcast_tools.models.train import Trained
from matchcast_tools.sample.league import write_sample
from tests.support.forecasters import forecaster
from tests.support.match_files import League, csv_bytes, season_row, write
from tests.support.mlflow_warnings import MLFLOW_WARNINGS

pytestmark = MLFLOW_WARNINGS

app = typer.Typer()
data.register(app)


def run(*arguments: str | Path) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def run_json(*arguments: str | Path) -> dict[str, Any]:
    code, stdout, stderr = run(*arguments, "--json")
    assert (code, stderr) == (0, "")
    assert stdout.count("\n") == 1
    content: dict[str, Any] = json.loads(stdout)
    return content


@pytest.fixture
def files(tmp_path: Path) -> Path:
    write(tmp_path / "files", League().files())
    return tmp_path / "files"


def test_import_prints_one_json_object_with_a_report_per_file(files: Path, tmp_path: Path) -> None:
    report = run_json("import", files, "--data", tmp_path / "data")

    assert (report["files"], report["played"], report["added"]) == (1, 24, 24)
    assert report["per_file"][0]["name"].endswith("E0.csv")
    assert report["dataset"] == {"matches": 24, "odds": 24}


def test_import_shows_a_table_and_every_note(files: Path, tmp_path: Path) -> None:
    write(files, {"E1.csv": csv_bytes([season_row(division="E1"), season_row("x", division="E1")])})

    code, stdout, _ = run("import", files, "--data", tmp_path / "data")

    assert code == 0
    assert "E1.csv: skipped: 'x' is not a date with the day first (1: line 3)" in stdout
    assert "25 matches added, 0 updated" in stdout
    assert "2 files" in stdout


@pytest.mark.parametrize("name", ["E0[bold].csv", "E0[].csv", "E0[red]:smile:.csv"])
def test_names_in_brackets_are_shown_as_they_are(tmp_path: Path, name: str) -> None:
    # GIVEN a file whose name looks like markup, of a division whose code does
    write(tmp_path / "files", {name: csv_bytes([season_row(division="[bold]")])})
    # WHEN
    _, stdout, _ = run("import", tmp_path / "files", "--data", tmp_path / "data")
    _, table, _ = run("evaluate", tmp_path / "files")

    # THEN
    assert any(line.lstrip().startswith(f"files/{name} ") for line in stdout.splitlines())
    assert "[bold]" in table


def test_a_new_team_that_looks_like_an_old_one_is_shown(files: Path, tmp_path: Path) -> None:
    run("import", files, "--data", tmp_path / "data")
    write(files, {"E1.csv": csv_bytes([season_row("16/08/2016", "Alpha FC")])})
    # WHEN
    _, stdout, _ = run("import", files, "--data", tmp_path / "data")
    # THEN
    assert "Alpha FC (England) appears on 2016-08-16, and Alpha was last seen on 2015-" in stdout


def test_a_file_that_cannot_be_used_is_an_error_after_the_others_are_imported(files: Path, tmp_path: Path) -> None:
    write(files, {"page.csv": b"<html>"})
    with pytest.raises(BadInput, match=r"1 of 2 files could not be used; the others are imported.*web page"):
        run("import", files, "--data", tmp_path / "data")
    assert run_json("features", "--data", tmp_path / "data")["matches"] == 24


def test_import_without_anything_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="use --sample"):
        run("import", "--data", tmp_path / "data")


def test_the_sample_league_is_one_option_away(tmp_path: Path) -> None:
    report = run_json("import", "--sample", "--data", tmp_path / "data")

    assert report["files_failed"] == 0
    assert report["played"] > 3000
    assert report["fixtures"] > 100
    features = run_json("features", "--data", tmp_path / "data")
    assert features["matches"] == report["matches"]
    assert "elo_home" in features["columns"]


def test_features_says_what_was_computed(files: Path, tmp_path: Path) -> None:
    run("import", files, "--data", tmp_path / "data")

    assert "24 matches of 1 regions have 19 features" in run("features", "--data", tmp_path / "data")[1]
    report = run_json("features", "--data", tmp_path / "data")
    assert report.keys() == {"matches", "regions", "columns", "seconds"}


def test_evaluate_prints_one_json_object_with_the_figures(files: Path) -> None:
    result = run_json("evaluate", files, "--book", "B365")

    assert result["book"] == "bet365"
    assert result["rows"] == 24
    names = ("log_loss", "brier", "rps", "accuracy", "roi_home", "roi_draw", "roi_away", "roi_favourite")
    assert all(isinstance(result[name], float) for name in names)
    assert [part["season"] for part in result["per_season"]] == ["2014/15", "2015/16"]


def test_evaluate_shows_a_table_that_fits_a_terminal(files: Path) -> None:
    code, stdout, _ = run("evaluate", files)

    assert code == 0
    assert "2015/16" in stdout
    assert "base rate" in stdout
    assert max(map(len, stdout.splitlines())) <= 160


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--book", "nobody"], "No bookmaker is called"),
        (["--book", "PSC"], r"No match with a result has odds of pinnacle \(closing\)"),
        (["--margin", "guess"], "Give multiplicative, power, shin"),
        (["--picture", "x.png"], "Name a model with --model"),
    ],
)
def test_evaluate_refuses_what_makes_no_sense(files: Path, options: list[str], reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        run("evaluate", files, *options)


def test_evaluate_names_the_aliases_there_are_where_one_is_unknown(
    files: Path, tracking: Tracking, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking.uri)

    with pytest.raises(BadInput, match=r"no alias 'nobody' .*champion") as refused:
        data._forecaster("nobody")

    assert "publish" not in refused.value.detail
    assert exit_code(refused.value) == 2


def test_evaluate_scores_a_model_with_the_book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a registered model, from a registry that this test does not need
    monkeypatch.setattr(data, "_forecaster", lambda _: forecaster())
    sample = write_sample(tmp_path / "sample", date(2026, 3, 14))
    files = [path for path in sample if path.name.startswith("AM")]
    picture = tmp_path / "model.png"

    # WHEN
    result = run_json("evaluate", *files, "--book", "FON", "--model", "champion", "--picture", picture)
    _, table, _ = run("evaluate", *files, "--book", "FON", "--model", "champion")

    # THEN
    assert result["model"]["name"] == "elo"
    assert result["base_rate_of"] == "earlier matches"
    assert all("model" in part for part in result["per_division"])
    assert picture.exists()
    assert "elo version 3 (champion), on matches after 2025-03-01" in table
    assert "bets:" in table


def test_evaluate_takes_history_from_the_dataset_or_says_that_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN five seasons in the dataset, and a file of the last one
    monkeypatch.setattr(data, "_forecaster", lambda _: forecaster())
    files = [path for path in write_sample(tmp_path / "sample", date(2026, 3, 14)) if path.name.startswith("AM1")]
    run("import", *files[:-1], "--data", tmp_path / "data")
    arguments = ("evaluate", files[-1], "--book", "FON", "--model", "champion", "--data")

    # WHEN
    _, known, quiet = run(*arguments, tmp_path / "data")
    _, _, warned = run(*arguments, tmp_path / "empty")

    # THEN
    assert quiet == ""
    assert "Ratings know 960 matches of the dataset as well." in known
    assert "The ratings of Aldermark start cold" in warned
