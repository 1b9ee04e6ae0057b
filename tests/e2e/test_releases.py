"""Releases on the laptop stack: promoted, rolled back, and refused where they are broken."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from matchcast_tools.models.tracking import Tracking
from matchcast_tools.stack.api_client import ApiClient
from matchcast_tools.stack.deployed import Stack
from tests.proofs import corruptions
from tests.proofs.bench import REFRESH_SECONDS, Bench
from tests.proofs.corrupting import broken_models, broken_snapshots
from tests.support.laptop import Command


@pytest.fixture
def work(laptop_command: Command, stack: Stack, api: ApiClient) -> Iterator[Bench]:
    """Return a bench on the shared stack, whose commands know the sample's registry."""
    tracking = Tracking.at(laptop_command.sample)
    laptop_command.environment["MLFLOW_TRACKING_URI"] = tracking.uri
    yield Bench(laptop_command.local, laptop_command, stack, api, tracking)
    del laptop_command.environment["MLFLOW_TRACKING_URI"]


def served(work: Bench) -> dict[str, Any]:
    """Return the champion as functions know it once every function has looked."""
    time.sleep(REFRESH_SECONDS + 0.3)
    info: dict[str, Any] = work.api.get("/predict/model/info").expect(200)
    return info


def test_a_candidate_is_promoted_and_rolled_back_by_one_command_each(work: Bench) -> None:
    # GIVEN a candidate that has learnt from a month less than the champion
    before = served(work)
    until = date.fromisoformat(before["trained_until"]) - timedelta(days=30)
    data = ["--data", str(work.data)]
    trained = work.command.json("train", *data, "--until", until.isoformat(), "--alias", "candidate")

    # WHEN it is promoted
    dry = work.command.json("promote", "candidate", *data, "--dry-run")
    assert (dry["promoted"], dry["passed"], served(work)["version"]) == (False, True, before["version"])
    promoted = work.command.json("promote", "candidate", *data, "--why", "a month less", "--by", "ada")

    # THEN it answers on demand, and the snapshot is its own
    assert promoted["promoted"]
    assert served(work)["version"] == trained["version"] != before["version"]
    match = work.matches[0]
    precomputed = work.api.get(f"/predict/precomputed/{match}").expect(200)
    on_demand = work.api.get(f"/predict/{match}").expect(200)
    assert precomputed["model"]["version"] == on_demand["model"]["version"] == trained["version"]
    assert on_demand["home"] == pytest.approx(precomputed["home"], abs=1e-6)

    # WHEN it is rolled back
    work.command.json("rollback", "--why", "only a test")
    # THEN the version before is served again, and the history has both releases
    assert served(work)["version"] == before["version"]
    newest, earlier = work.command.json("history", "--stage", "champion")["releases"][:2]
    assert [newest["action"], earlier["action"]] == ["rollback", "promote"]
    assert (earlier["by"], earlier["why"]) == ("ada", "a month less")
    assert earlier["stages"]["champion"] == {"from": before["version"], "to": trained["version"]}


@pytest.mark.parametrize("name", ["model: a flipped bit", "model: half a manifest"])
def test_a_broken_model_is_refused_and_the_version_before_keeps_serving(
    work: Bench, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = corruptions.model_breaks
    monkeypatch.setattr(corruptions, "model_breaks", lambda columns: {name: every(columns)[name]})

    (tried,) = broken_models(work)

    assert (tried.name, tried.refused, tried.served) == (name, True, True)


@pytest.mark.parametrize("name", ["snapshot: missing features", "snapshot: NaN probabilities"])
def test_a_broken_snapshot_is_refused_and_the_one_before_keeps_serving(
    work: Bench, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corruptions, "SNAPSHOT_BREAKS", {name: corruptions.SNAPSHOT_BREAKS[name]})

    (tried,) = broken_snapshots(work)

    assert (tried.name, tried.refused, tried.served) == (name, True, True)
