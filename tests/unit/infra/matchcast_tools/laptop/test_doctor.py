"""What the doctor finds, and what it says to do."""

from __future__ import annotations

import json
import socket
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from matchcast.domain.manifests import (
    DATASET_MANIFEST_KEY,
    MODEL_MANIFEST_KEY,
    SNAPSHOT_MANIFEST_KEY,
    DatasetManifest,
    FileEntry,
    ModelManifest,
    SnapshotManifest,
)
from matchcast.domain.prediction import ModelRef
from matchcast.domain.signature import Column, Signature
from matchcast_tools.checkout import LOCAL_VARIABLE
from matchcast_tools.laptop import machine
from matchcast_tools.laptop.doctor import check_manifests, describe_stages, examine, health_remedy
from matchcast_tools.laptop.machine import Finding, check_checkout, check_leftovers, check_port, check_python
from matchcast_tools.laptop.state import EngineRecord, Folder, engine_lock
from tests.support.releases import SIGNATURE, published

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def snapshot(odds_rows: int | None = 10, age: timedelta = timedelta(0)) -> dict[str, bytes]:
    files = {} if odds_rows is None else {"odds.parquet": FileEntry.of(b"", rows=odds_rows)}
    manifest = SnapshotManifest(
        snapshot_id="snap",
        created_at=NOW - age,
        as_of=NOW - age,
        prefix="snapshots/snap/",
        bookmaker="fonbet",
        model=ModelRef(name="matchcast", version="1", stage="champion", run_id="run"),
        files=files,
    )
    return {SNAPSHOT_MANIFEST_KEY: manifest.body()}


def snapshot_findings(published: dict[str, bytes]) -> list[Finding]:
    return [item for item in check_manifests(published.get, NOW) if item.check in {"snapshot", "odds"}]


def states(findings: Any) -> dict[str, str]:
    return {finding.check: finding.state for finding in findings}


def test_a_python_that_is_too_old_is_an_error_with_a_remedy() -> None:
    finding = check_python((3, 10))

    assert finding.state == "error"
    assert finding.remedy == "Install Python 3.13 and run `make setup`."


def test_this_python_is_good_enough() -> None:
    assert check_python().state == "ok"


def test_a_folder_outside_a_checkout_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_checkout().state == "ok"

    monkeypatch.chdir(tmp_path)

    assert check_checkout().state == "warning"


@pytest.mark.enable_socket
def test_loopback_ports_work_here() -> None:
    assert check_port().state == "ok"


def test_no_loopback_port_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> int:
        raise OSError("no network")

    monkeypatch.setattr(machine, "free_port", fail)

    assert check_port().state == "error"


def test_leftovers_of_a_dead_engine_are_a_warning(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    assert check_leftovers(folder).state == "ok"

    folder.write_record(EngineRecord(pid=1, port=1))

    finding = check_leftovers(folder)
    assert finding.state == "warning"
    assert "matchcast down" in str(finding.remedy)


@pytest.mark.enable_socket
def test_an_engine_that_hangs_is_found_soon_and_to_be_stopped_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN an engine that lives, and accepts connections that it never answers
    monkeypatch.setenv(LOCAL_VARIABLE, str(tmp_path))
    monkeypatch.setattr(machine, "READ_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as hung, engine_lock(folder := Folder(tmp_path)):
        folder.stack_file.write_text(json.dumps({"port": hung.getsockname()[1], "outputs": {}}))
        started = time.monotonic()

        # WHEN
        *_, last = examine()

    # THEN no other check has waited for it
    assert time.monotonic() - started < 10
    assert (last.check, last.state) == ("engine", "error")
    assert "does not answer" in last.detail
    assert "`matchcast down`, then `make up`" in str(last.remedy)


def test_nothing_published_is_a_warning_that_says_which_commands_publish() -> None:
    nothing: dict[str, bytes] = {}

    found = list(check_manifests(nothing.get, NOW))

    assert states(found) == {"dataset": "warning", "models": "warning", "snapshot": "warning"}
    assert all(finding.remedy and "matchcast" in finding.remedy for finding in found)


@pytest.mark.parametrize("body", [b"", b"{", b'{"schema_version": 2}'])
def test_a_manifest_that_cannot_be_read_is_an_error(body: bytes) -> None:
    everything = dict.fromkeys((DATASET_MANIFEST_KEY, MODEL_MANIFEST_KEY, SNAPSHOT_MANIFEST_KEY), body)

    found = list(check_manifests(everything.get, NOW))

    assert {finding.state for finding in found} == {"error"}


def test_a_fresh_snapshot_with_odds_is_all_right() -> None:
    assert states(snapshot_findings(snapshot())) == {"snapshot": "ok", "odds": "ok"}


def test_a_snapshot_that_is_older_than_a_day_is_a_warning() -> None:
    (old, _) = snapshot_findings(snapshot(age=timedelta(days=3)))

    assert old == Finding("snapshot", "warning", "snap is 3 days old.", "`matchcast snapshot`")


@pytest.mark.parametrize("rows", [0, None])
def test_a_bookmaker_without_odds_is_a_warning_that_names_it(rows: int | None) -> None:
    (_, odds) = snapshot_findings(snapshot(odds_rows=rows))

    assert odds.state == "warning"
    assert "no odds of fonbet" in odds.detail
    assert "OddsBookmaker" in str(odds.remedy)


def test_what_is_published_is_shown() -> None:
    # GIVEN
    published = {
        DATASET_MANIFEST_KEY: DatasetManifest(
            dataset_id="data-1",
            created_at=NOW,
            as_of=NOW,
            prefix="datasets/data-1/",
            files={"matches.parquet": FileEntry.of(b"", rows=7)},
        ).body(),
        MODEL_MANIFEST_KEY: ModelManifest(release=3, published_at=NOW, stages={}).body(),
    }

    # WHEN
    dataset, models, _ = check_manifests(published.get, NOW)

    # THEN
    assert "7 matches" in dataset.detail
    assert "release 3" in models.detail


def test_each_stage_is_shown_with_what_keeps_it_from_being_served() -> None:
    # GIVEN a stage that is well, one whose features the snapshot lacks, and one that the workers leave alone
    stages = {"champion": published("3"), "candidate": published("4"), "smoke": published("5")}
    weather = Signature(inputs=(*SIGNATURE.inputs, Column(name="weather", type="float")))
    stages["candidate"] = stages["candidate"].model_copy(update={"signature": weather})
    opened = {"stage:smoke": ("model-too-slow", "It has taken more than 5 s.", NOW)}

    # WHEN
    findings = list(describe_stages(stages, SIGNATURE.names, opened.get))

    # THEN
    assert [(finding.check, finding.state) for finding in findings] == [
        ("stage candidate", "warning"),
        ("stage champion", "ok"),
        ("stage smoke", "warning"),
    ]
    assert "weather" in findings[0].detail
    assert "model-too-slow" in findings[2].detail
    assert "rollback --stage smoke" in str(findings[2].remedy)


@pytest.mark.parametrize(("status", "says"), [(503, "`matchcast publish`"), (500, "engine.log"), (404, "engine.log")])
def test_only_a_service_without_a_release_is_to_be_published(status: int, says: str) -> None:
    remedy = health_remedy(status, on_laptop=True)

    assert says in remedy
    assert ("publish" in remedy) is (status == 503)


@pytest.mark.enable_socket
@pytest.mark.parametrize("unreadable", ["lock", "stack_file", None])
def test_local_state_that_cannot_be_used_is_one_finding_among_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unreadable: str | None
) -> None:
    # GIVEN a folder in which files cannot be made, and files of it that cannot be read, as links in a ring
    folder = Folder(tmp_path / "local")
    folder.root.mkdir()
    if unreadable:
        getattr(folder, unreadable).symlink_to(getattr(folder, unreadable))
    monkeypatch.setenv(LOCAL_VARIABLE, str(folder.root))

    def refuse(**_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(machine, "TemporaryFile", refuse)
    # WHEN
    found = {finding.check: finding for finding in examine()}
    # THEN
    assert {"python", "checkout", "ports", "state", "leftovers", "stack"} <= set(found)
    assert found["state"].state == "error"
    assert LOCAL_VARIABLE in str(found["state"].remedy)
    assert (found["leftovers"].state == "error") is (unreadable == "lock")
