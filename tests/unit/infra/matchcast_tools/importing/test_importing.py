from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from matchcast.snapshots.dataset import FEATURES_FILE, MATCHES_FILE, MATCHES_SCHEMA, ODDS_SCHEMA
from matchcast_tools.dataset import store
from matchcast_tools.errors import BadInput
from matchcast_tools.importing.import_files import import_paths
from matchcast_tools.importing.report import ImportReport
from tests.support.match_files import SEASON_HEADER, csv_bytes, fixture_row, season_row, write, zip_bytes

HULL = "e0-2014-08-16-hull-stoke"


class Data:
    """A folder of files and the dataset that they are imported into."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.dataset = folder / "data"

    def put(self, rows: Sequence[dict[str, str]], header: Sequence[str] = SEASON_HEADER) -> ImportReport:
        return import_paths(write(self.folder / "files", {"E0.csv": csv_bytes(rows, header)}), self.dataset)

    def matches(self) -> dict[str, dict[str, Any]]:
        return {row["match_id"]: row for row in store.read_matches(self.dataset).to_pylist()}

    def odds(self) -> list[dict[str, Any]]:
        return list(store.read_odds(self.dataset).to_pylist())


@pytest.fixture
def data(tmp_path: Path) -> Data:
    return Data(tmp_path)


def test_an_import_writes_both_tables_as_the_contract_says(data: Data) -> None:
    # GIVEN two matches, one of them with a time and closing odds
    header = (*SEASON_HEADER, "Time", "PSCH", "PSCD", "PSCA")
    late = {**season_row(home="Hull", away="Stoke"), "Time": "15:00", "PSCH": "2", "PSCD": "3.4", "PSCA": "4"}
    # WHEN
    data.put([season_row(), late], header)

    # THEN
    matches, odds = store.read_matches(data.dataset), store.read_odds(data.dataset)
    assert matches.schema.equals(MATCHES_SCHEMA)
    assert odds.schema.equals(ODDS_SCHEMA)
    assert matches["match_id"].to_pylist() == ["e0-2014-08-16-arsenal-crystal-palace", HULL]
    assert [(row["bookmaker"], row["taken_at"]) for row in data.odds() if row["match_id"] == HULL] == [
        ("bet365", datetime(2014, 8, 15, 12, tzinfo=UTC)),
        ("pinnacle", datetime(2014, 8, 16, 14, tzinfo=UTC)),
    ]


def test_importing_again_does_not_write_the_files(data: Data) -> None:
    first = data.put([season_row(), season_row(home="Hull")])
    before = [path.stat().st_mtime_ns for path in sorted(data.dataset.iterdir())]

    second = data.put([season_row(), season_row(home="Hull")])

    assert (first.changes.added, second.changes.added, second.changes.unchanged, second.changes.updated) == (2, 0, 2, 0)
    assert [path.stat().st_mtime_ns for path in sorted(data.dataset.iterdir())] == before


def test_a_fixture_becomes_a_played_match_under_the_same_id(data: Data) -> None:
    data.put([fixture_row()])
    report = data.put([season_row()])

    (match,) = data.matches().values()
    assert (match["status"], match["home_goals"]) == ("played", 2)
    assert (report.changes.added, report.changes.updated) == (0, 1)


def test_changed_odds_are_updated_and_not_added_a_second_time(data: Data) -> None:
    data.put([season_row()])
    report = data.put([season_row(odds=("2.5", "3.3", "3.0"))])

    assert [row["home"] for row in data.odds()] == [2.5]
    assert (report.changes.updated, report.odds) == (1, 1)


def test_of_many_odds_only_those_that_changed_are_updated(data: Data) -> None:
    teams = ("Hull", "Stoke", "Everton", "Leeds")
    data.put([season_row(home=home) for home in teams])
    report = data.put([season_row(home=home, odds=("2.5", "3.3", "3.0")) for home in teams[:2]])

    assert {row["match_id"].split("-")[4]: row["home"] for row in data.odds()} == {
        "hull": 2.5, "stoke": 2.5, "everton": 2.1, "leeds": 2.1,
    }  # fmt: skip
    assert (report.changes.updated, report.odds) == (2, 4)


def test_closing_odds_follow_a_kickoff_that_becomes_known(data: Data) -> None:
    header = (*SEASON_HEADER, "PSCH", "PSCD", "PSCA")
    row = {**season_row(), "PSCH": "2", "PSCD": "3.4", "PSCA": "4"}
    # GIVEN an import without kick-off times
    data.put([row], header)

    # WHEN the time becomes known
    data.put([{**row, "Time": "20:00"}], (*header, "Time"))

    # THEN the closing odds are those of the new kick-off
    assert [(row["bookmaker"], row["taken_at"]) for row in data.odds()] == [
        ("bet365", datetime(2014, 8, 15, 12, tzinfo=UTC)),
        ("pinnacle", datetime(2014, 8, 16, 19, tzinfo=UTC)),
    ]


def test_the_old_date_of_a_postponed_fixture_is_withdrawn(data: Data) -> None:
    data.put([season_row(), fixture_row("20/12/2014", "Hull", "Stoke")])
    report = data.put([season_row(), fixture_row("03/02/2015", "Hull", "Stoke")])

    assert report.changes.withdrawn == ["e0-2014-12-20-hull-stoke"]
    assert set(data.matches()) == {"e0-2014-08-16-arsenal-crystal-palace", "e0-2015-02-03-hull-stoke"}
    assert {row["match_id"] for row in data.odds()} == set(data.matches())


def test_fixtures_stay_when_a_season_file_comes_that_holds_results_only(data: Data) -> None:
    # GIVEN fixtures of today and later, imported before the season file; one was played before, on another day
    fixtures = [
        fixture_row("16/08/2014", "Hull"),
        fixture_row("23/08/2014", "Stoke"),
        fixture_row("10/08/2014", "Leeds"),
    ]
    data.put([*fixtures, fixture_row("30/08/2014", "Derby")])

    # WHEN
    report = data.put(
        [season_row("09/08/2014", "Everton"), season_row("16/08/2014"), season_row("09/08/2014", "Derby")]
    )

    # THEN what the file would name if it had been played then is withdrawn, and so is what was played on another day
    assert report.changes.withdrawn == ["e0-2014-08-10-leeds-crystal-palace", "e0-2014-08-30-derby-crystal-palace"]
    stayed = {match["home_team"] for match in data.matches().values() if match["status"] == "fixture"}
    assert stayed == {"Hull", "Stoke"}
    assert {row["match_id"] for row in data.odds()} == set(data.matches())


def test_a_list_of_fixtures_says_nothing_of_days_that_it_does_not_name(data: Data) -> None:
    data.put([fixture_row("16/08/2014"), fixture_row("24/08/2014", "Hull"), fixture_row("20/09/2014", "Stoke")])
    report = data.put([fixture_row("23/08/2014", "Leeds"), fixture_row("30/08/2014", "Derby")])

    assert report.changes.withdrawn == ["e0-2014-08-24-hull-crystal-palace"]
    assert len(data.matches()) == 4


def test_fixtures_of_other_divisions_and_seasons_stay(data: Data) -> None:
    data.put([fixture_row(division="E1"), fixture_row("15/08/2015", division="E0")])
    report = data.put([season_row()])

    assert report.changes.withdrawn == []
    assert len(data.matches()) == 3


def test_a_played_match_that_is_no_longer_listed_stays(data: Data) -> None:
    data.put([season_row(), season_row(home="Hull")])
    report = data.put([season_row()])

    assert (report.changes.withdrawn, report.changes.moved, len(data.matches())) == ([], [], 2)


def test_a_played_match_whose_date_was_corrected_is_moved(data: Data) -> None:
    data.put([season_row("16/08/2014"), season_row("16/08/2014", "Hull")])
    report = data.put([season_row("17/08/2014"), season_row("16/08/2014", "Hull")])

    assert report.changes.moved == ["e0-2014-08-16-arsenal-crystal-palace"]
    assert set(data.matches()) == {"e0-2014-08-17-arsenal-crystal-palace", "e0-2014-08-16-hull-crystal-palace"}


def test_a_file_without_a_score_does_not_remove_the_stored_score(data: Data) -> None:
    data.put([season_row()])
    report = data.put([fixture_row()])

    assert report.changes.kept_scores == 1
    assert next(iter(data.matches().values()))["home_goals"] == 2


def test_a_match_in_two_files_counts_once_and_the_later_file_wins(data: Data) -> None:
    files = {"a.csv": csv_bytes([season_row(score=(1, 0))]), "b.csv": csv_bytes([season_row(score=(2, 0))])}
    report = import_paths(write(data.folder, {**files, "c.csv": csv_bytes([fixture_row()])}), data.dataset)

    assert (report.changes.added, report.changes.repeated) == (1, 2)
    assert next(iter(data.matches().values()))["home_goals"] == 2


def test_a_file_that_cannot_be_used_does_not_stop_the_others(data: Data) -> None:
    archive = zip_bytes({"E0.csv": csv_bytes([season_row()]), "E1.csv": b"<html>Not found</html>", "E2.csv": b""})
    report = import_paths(write(data.folder, {"a.zip": archive}), data.dataset)

    assert report.changes.added == 1
    assert [file.name for file in report.failed] == ["a.zip/E1.csv", "a.zip/E2.csv"]
    assert report.as_dict()["files_failed"] == 2
    assert "web page" in str(report.failed[0].error)


def test_nothing_is_changed_where_no_file_can_be_used(data: Data) -> None:
    paths = write(data.folder, {"a.csv": b"<html>", "b.csv": b""})
    with pytest.raises(BadInput, match=r"a\.csv is a web page.*1 more.*Nothing was imported"):
        import_paths(paths, data.dataset)
    assert not data.dataset.exists()


def test_a_damaged_dataset_is_refused_and_left_as_it_is(data: Data) -> None:
    data.put([season_row()])
    (data.dataset / MATCHES_FILE).write_bytes(b"torn")

    with pytest.raises(BadInput, match=r"matches\.parquet cannot be read.*matchcast import"):
        data.put([season_row()])
    assert (data.dataset / MATCHES_FILE).read_bytes() == b"torn"


def test_progress_is_reported_file_by_file(data: Data) -> None:
    reported: list[tuple[int, int]] = []
    paths = write(data.folder, {"a.csv": csv_bytes([season_row()]), "b.csv": csv_bytes([season_row(home="Hull")])})
    import_paths(paths, data.dataset, lambda done, total, _: reported.append((done, total)))
    assert reported == [(0, 2), (1, 2), (2, 2)]


def test_readers_name_the_command_to_run_if_there_is_no_dataset(tmp_path: Path) -> None:
    for read in (store.read_matches, store.read_odds, store.read_features):
        with pytest.raises(BadInput, match=r"Run `matchcast import PATH`"):
            read(tmp_path)
    store.write_dataset(tmp_path, MATCHES_SCHEMA.empty_table(), ODDS_SCHEMA.empty_table())
    with pytest.raises(BadInput, match="has no match"):
        store.read_matches(tmp_path)


def test_features_that_are_older_than_the_matches_are_refused(data: Data) -> None:
    # GIVEN a dataset without features
    data.put([season_row()])
    # WHEN they are read
    # THEN the message names the command
    with pytest.raises(BadInput, match="Run `matchcast features`"):
        store.read_features(data.dataset)
    # GIVEN features of its matches
    store.write_table(data.dataset / FEATURES_FILE, pa.table({"match_id": ["x"]}))
    assert len(store.read_features(data.dataset)) == 1

    # WHEN another match is imported
    data.put([season_row(), season_row(home="Hull")])
    # THEN the features are refused
    with pytest.raises(BadInput, match="older than its matches"):
        store.read_features(data.dataset)
