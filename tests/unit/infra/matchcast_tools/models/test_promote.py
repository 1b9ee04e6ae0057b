"""Promotion against a real registry: what passes is served, what does not changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.errors import ReleaseRefused
from matchcast.releases.history import ReleaseHistory
from matchcast_tools.models.gates import GatesFailed, Limits
from tests.support.mlflow_models import register_with
from tests.support.mlflow_warnings import MLFLOW_WARNINGS
from tests.support.objects import content
from tests.support.promotions import UNTIL, Registry
from tests.support.pyfunc_models import LOGISTIC, code
from tests.support.served import served_models

pytestmark = MLFLOW_WARNINGS


def test_a_version_that_passes_is_served_and_the_alias_names_it(registry: Registry, objects: InMemoryObjects) -> None:
    # GIVEN
    good, equal = registry.version("good"), registry.version("equal")

    # WHEN
    done = registry.promote(objects, why="more matches")

    # THEN
    assert done.change.is_new
    assert (done.change.before, done.change.version, done.change.release) == (good, equal, 2)
    served = served_models(objects)
    assert served.get("champion").published.version == equal
    assert served.get("smoke").published.version == good
    assert registry.version("champion") == equal
    assert done.change.undone == []


def test_the_history_has_the_figures_of_the_gates(registry: Registry, objects: InMemoryObjects) -> None:
    # WHEN
    done = registry.promote(objects, why="more matches")

    # THEN
    newest = next(ReleaseHistory(objects).entries())
    assert (newest.action, newest.by, newest.why) == ("promote", "ada", "more matches")
    assert set(newest.stages) == {"champion"}
    assert done.report is not None
    assert newest.figures == done.report.figures
    assert {"drift", "drift_of_one", "latency_ms", "log_loss_difference", "settled", "not_finite", "sum"} <= set(
        newest.figures
    )
    assert newest.figures["settled"] > 400


def test_a_version_that_does_not_pass_changes_nothing(registry: Registry, objects: InMemoryObjects) -> None:
    before, champion = content(objects), registry.version("champion")
    with pytest.raises(GatesFailed, match=r"champion still serves version \d+. What stopped it:\n") as refused:
        registry.promote(objects, "mixed-up")

    assert {"drift", "log_loss_difference"} <= {gate.name for gate in refused.value.report.failed}
    assert "limit 0.07" in refused.value.detail
    assert content(objects) == before
    assert registry.version("champion") == champion


def test_the_figures_pass_where_the_limits_let_them(registry: Registry, objects: InMemoryObjects) -> None:
    wide = Limits(loss=9, drift=1, drift_of_one=1, latency_ms=60_000)
    assert registry.promote(objects, "mixed-up", trial={"limits": wide}).change.is_new


def test_a_dry_run_measures_and_changes_nothing(registry: Registry, objects: InMemoryObjects) -> None:
    # GIVEN
    before, champion = content(objects), registry.version("champion")
    # WHEN
    done = registry.promote(objects, dry_run=True)

    # THEN
    assert not done.change.is_new
    assert done.report is not None
    assert done.report.passed
    assert content(objects) == before
    assert registry.version("champion") == champion
    # WHEN a candidate fails the gates
    # THEN that is an error in a dry run as well
    with pytest.raises(GatesFailed):
        registry.promote(objects, "mixed-up", dry_run=True)


def test_the_version_that_is_champion_already_changes_nothing(registry: Registry, objects: InMemoryObjects) -> None:
    before = content(objects)
    done = registry.promote(objects, "smoke")
    assert (done.change.is_new, done.report, done.change.release) == (False, None, 1)
    assert content(objects) == before


def test_another_stage_than_the_champion_can_be_promoted_to(registry: Registry, objects: InMemoryObjects) -> None:
    equal = registry.version("equal")
    registry.promote(objects, to="smoke")
    assert served_models(objects).get("smoke").published.version == equal == registry.version("smoke")
    assert served_models(objects).get("champion").published.version == registry.version("good")


class TestWithoutAChampion:
    def test_the_first_promotion_is_measured_by_itself(self, registry: Registry) -> None:
        objects = InMemoryObjects()
        done = registry.promote(objects, "good")
        assert (done.change.release, done.change.before) == (1, None)
        assert served_models(objects).get("champion").published.version == registry.version("good")
        assert "drift" not in done.as_dict()["figures"]

    def test_one_that_is_worse_than_the_base_rate_is_refused(self, registry: Registry) -> None:
        objects = InMemoryObjects()
        with pytest.raises(GatesFailed, match=r"champion serves no version yet.*\n  log_loss is"):
            registry.promote(objects, "mixed-up")
        assert content(objects) == {}


def test_a_model_that_is_served_as_python_code_goes_through_the_same_gates(
    registry: Registry, objects: InMemoryObjects, tmp_path: Path
) -> None:
    # GIVEN a candidate that is Python code, and worse than the champion
    file = tmp_path / "model.py"
    file.write_text(code(LOGISTIC))
    tags = {"trained_until": UNTIL.isoformat()}
    register_with(registry.tracking, "pyfunc", str(file), name="matchcast", alias="custom", tags=tags)
    both: Any = {"runtimes": ("onnx", "pyfunc")}
    # WHEN it is promoted
    # THEN the gates refuse it
    with pytest.raises(GatesFailed) as refused:
        registry.promote(objects, "custom", **both)

    assert "log_loss_difference" in {gate.name for gate in refused.value.report.failed}
    assert refused.value.report.figures["latency_ms"] > 0
    # WHEN the limits allow it
    wide = Limits(loss=9, drift=1, drift_of_one=1, latency_ms=60_000)
    # THEN it is served, and is what the gates compare the next candidate with
    assert registry.promote(objects, "custom", trial={"limits": wide}, **both).change.is_new
    back = registry.promote(objects, "good", trial={"limits": wide}, **both)
    assert back.report is not None
    assert back.report.figures["log_loss_difference"] < 0
    # WHEN a stack serves ONNX only
    # THEN
    with pytest.raises(ReleaseRefused, match="ModelRuntime=pyfunc"):
        registry.promote(objects, "custom")
