"""`matchcast promote | rollback | history`: a champion and a candidate that differ in the matches they learnt from."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from matchcast.errors import AliasUnknown, ReleaseRefused, StorageUnavailable
from matchcast.releases import switching
from matchcast_tools.errors import BadInput, exit_code
from matchcast_tools.models.gates import GatesFailed
from matchcast_tools.models.tracking import Tracking
from matchcast_tools.models.train import train
from matchcast_tools.stack.deployed import Stack
from tests.support.mlflow_warnings import MLFLOW_WARNINGS

pytestmark = MLFLOW_WARNINGS


@pytest.fixture(scope="module")
def store(new_store: Callable[[], Tracking]) -> Tracking:
    """A store of these tests' own, for they move its aliases."""
    return new_store()


@pytest.fixture(scope="module")
def both(store: Tracking, data_dir: Path) -> tuple[str, str]:
    """Two versions, trained once."""
    first = train(data_dir, hold_out_last_season=True, tracking=store)
    second = train(data_dir, from_day=date(2022, 9, 15), hold_out_last_season=True, tracking=store)
    return first.version, second.version


@pytest.fixture
def versions(store: Tracking, both: tuple[str, str]) -> tuple[str, str]:
    """The versions of champion and candidate, as every test finds them."""
    client = store.connect()
    for alias, version in zip(("champion", "candidate"), both, strict=True):
        client.set_registered_model_alias("matchcast", alias, version)
    return both


@pytest.fixture
def with_store(matchcast: Any, stack: Stack, store: Tracking, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command, on the store of these tests."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
    return matchcast


@pytest.fixture
def run(with_store: Any, data_dir: Path, versions: tuple[str, str]) -> Any:
    """The command, with the champion published and a snapshot made."""
    assert with_store("publish", "--data", data_dir, "--stage", "champion", "--by", "ada").exit_code == 0
    assert with_store("snapshot", "--data", data_dir).exit_code == 0
    return with_store


def test_a_candidate_is_promoted_and_rolled_back(run: Any, data_dir: Path, versions: tuple[str, str]) -> None:
    # GIVEN
    champion, candidate = versions
    options = ("--data", data_dir, "--by", "ada", "--min-settled", "100", "--json")

    # WHEN the candidate is promoted
    promoted = json.loads(run("promote", "candidate", *options, "--why", "more data").stdout)
    # THEN it has passed the gates, has a snapshot, and the alias names it
    assert (promoted["from"], promoted["to"], promoted["promoted"]) == (champion, candidate, True)
    assert all(gate["passed"] for gate in promoted["gates"])
    assert promoted["snapshot"]["snapshot_id"]
    assert promoted["alias"] == {"alias": "champion", "version": candidate, "before": champion, "problem": None}

    # WHEN that is rolled back
    back = json.loads(run("rollback", "--by", "grace", "--no-snapshot", "--json").stdout)
    # THEN the first release is back, without a new snapshot
    assert (back["from"], back["to"], back["restores"], back["snapshot"]) == (candidate, champion, 1, None)

    # WHEN the history is shown
    releases = json.loads(run("history", "--json").stdout)["releases"]
    # THEN it has all three, the newest first, and none for another stage
    assert [(each["action"], each["by"], each["why"]) for each in releases] == [
        ("rollback", "grace", None),
        ("promote", "ada", "more data"),
        ("publish", "ada", None),
    ]
    assert json.loads(run("history", "--stage", "smoke", "--json").stdout) == {"releases": []}


def test_people_are_shown_the_same(run: Any, data_dir: Path, versions: tuple[str, str]) -> None:
    # GIVEN
    options = ("--data", data_dir, "--min-settled", 100, "--no-snapshot")
    # WHEN
    tried = run("promote", "candidate", *options, "--dry-run").stdout
    # THEN nothing is changed
    assert "would be promoted; nothing is changed" in tried
    assert "log_loss_difference" in tried
    # WHEN
    promoted = run("promote", "candidate", *options, "--why", "[red] not markup").stdout
    # THEN the next run says that the version is served already
    assert f"release 2: champion goes from version {versions[0]} to version {versions[1]}" in promoted
    assert "serves version" in run("promote", "candidate", *options).stdout
    # WHEN
    back = run("rollback", "--no-snapshot").stdout
    # THEN
    assert f"goes back from version {versions[1]} to version {versions[0]}, first served in release 1" in back
    assert "already" in run("rollback", "--to-release", 1).stdout
    # WHEN
    shown = run("history").stdout
    # THEN a reason is shown as it was written, and the newest release is marked
    assert "[red] not markup" in shown
    assert "3 *" in shown


def test_a_refusal_shows_every_gate_and_ends_with_4(run: Any, data_dir: Path) -> None:
    # WHEN
    refused = run("promote", "candidate", "--data", data_dir, "--max-drift", "0.0001", "--min-settled", 100)
    # THEN
    assert isinstance(refused.exception, GatesFailed)
    assert exit_code(refused.exception) == 4
    assert "FAILED" in refused.stdout
    assert "log_loss_difference" in refused.stdout
    # WHEN the same is asked for as JSON
    said = run("promote", "candidate", "--data", data_dir, "--max-drift", "0.0001", "--min-settled", 100, "--json")
    # THEN
    content = json.loads(said.stdout)
    assert (content["promoted"], content["passed"]) == (False, False)
    assert [gate["name"] for gate in content["gates"] if not gate["passed"]] == ["drift"]


def test_what_is_left_to_do_is_reported_and_ends_with_3(
    run: Any, data_dir: Path, versions: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("promote", "candidate", "--data", data_dir, "--min-settled", 100, "--no-snapshot")
    # GIVEN a registry that is out of reach
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////nowhere/mlflow.db")
    back = run("rollback", "--no-snapshot", "--json")
    assert back.exit_code == 3
    assert "LEFT TO DO: The alias champion of matchcast does not name version" in back.stderr
    assert json.loads(back.stdout)["to"] == versions[0]


def test_the_history_of_a_stage_without_releases_names_the_stages(run: Any) -> None:
    shown = run("history", "--stage", "foo").stdout
    assert shown.strip() == "No known release changed the stage foo. The stages of the releases are: champion."


@pytest.mark.parametrize("command", [("promote", "champion", "--to", "served"), ("publish", "--stage", "champion")])
def test_a_folder_that_does_not_exist_is_refused_where_nothing_would_change(
    run: Any, data_dir: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    # GIVEN a stage that serves the version already
    assert run("publish", "--data", data_dir, "--stage", "champion").exit_code == 0
    run("promote", "champion", "--to", "served", "--data", data_dir, "--min-settled", 100, "--no-snapshot")
    # WHEN a folder is named that is not there
    refused = run(*command, "--data", tmp_path / "nowhere")
    # THEN
    assert isinstance(refused.exception, BadInput)
    assert exit_code(refused.exception) == 2
    assert f"There is no folder {tmp_path / 'nowhere'}" in refused.exception.detail


def test_an_empty_history_says_how_to_begin(matchcast: Any, stack: Stack) -> None:
    assert "matchcast publish" in matchcast("history").stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["promote", "nobody"], (AliasUnknown, 4)),
        (["promote", "candidate", "--data", "nowhere"], (BadInput, 2)),
        (["promote", "candidate", "--to", "bad/stage"], (BadInput, 2)),
        (["promote", "candidate", "--max-drift", "-1"], (BadInput, 2)),
        (["rollback"], (ReleaseRefused, 4)),
        (["rollback", "--to-release", "9"], (BadInput, 2)),
    ],
)
def test_what_goes_wrong_ends_with_its_exit_code(run: Any, arguments: list[str], expected: Any) -> None:
    raised = run(*arguments).exception
    assert (type(raised), exit_code(raised)) == expected


def test_a_cleaning_that_fails_is_reported_and_is_no_error(
    run: Any, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise StorageUnavailable("The data bucket did not answer.")

    monkeypatch.setattr(switching, "prune_models", fail)
    done = run("promote", "candidate", "--data", data_dir, "--min-settled", 100, "--no-snapshot")
    assert done.exit_code == 0
    assert "Files of old versions were not removed: The data bucket did not answer." in done.stderr
