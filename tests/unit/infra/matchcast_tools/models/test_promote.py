"""Promotion against a real registry: what passes is served, what does not changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sklearn.linear_model import LogisticRegression

from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.adapters.onnx_model import load_onnx
from matchcast.domain.manifests import MODEL_MANIFEST_KEY, ModelManifest
from matchcast.errors import AliasUnknown, ReleaseRaceLost, ReleaseRefused, StorageUnavailable
from matchcast.releases.history import ReleaseHistory
from matchcast.releases.readers import ManifestReader
from matchcast.releases.served_models import ServedModels
from matchcast.releases.switching import Attribution
from matchcast_tools.errors import BadInput
from matchcast_tools.models import release_run
from matchcast_tools.models.gates import GatesFailed, Limits
from matchcast_tools.models.promote import Promotion, promote_version
from matchcast_tools.models.publish import publish_models
from matchcast_tools.models.release_run import ReleaseRun, move_alias
from matchcast_tools.models.rollback import roll_back
from matchcast_tools.models.tracking import Tracking
from matchcast_tools.models.train import train
from matchcast_tools.models.training_set import read_training_set
from matchcast_tools.models.trial import Trial
from tests.support.datasets import write_dataset
from tests.support.mlflow_models import register, register_with
from tests.support.mlflow_warnings import MLFLOW_WARNINGS
from tests.support.objects import keys
from tests.support.pyfunc_models import LOGISTIC, code

pytestmark = MLFLOW_WARNINGS

NOW = datetime(2026, 11, 21, 7, tzinfo=UTC)
UNTIL = date(2024, 8, 1)


@dataclass
class Registry:
    """A store with versions under aliases that say what they are."""

    tracking: Tracking
    data_dir: Path

    def name(self, alias: str, like: str) -> None:
        """Let an alias name the version that another one names."""
        client = self.tracking.connect()
        client.set_registered_model_alias("matchcast", alias, self.version(like))

    def version(self, alias: str) -> str:
        return str(self.tracking.connect().get_registered_model("matchcast").aliases[alias])

    def publish(self, objects: InMemoryObjects, *stages: str) -> None:
        publish_models(self.run(objects), stages, data_dir=self.data_dir)

    def run(self, objects: InMemoryObjects, why: str | None = None, **options: Any) -> ReleaseRun:
        attribution = Attribution("ada", why)
        return ReleaseRun(objects=objects, tracking=self.tracking, attribution=attribution, now=NOW, **options)

    def promote(
        self,
        objects: InMemoryObjects,
        source: str = "candidate",
        *,
        to: str = "champion",
        dry_run: bool = False,
        trial: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Promotion:
        """Promote with the options of a run; `trial` has those of the gates."""
        measured = Trial(**{"data_dir": self.data_dir, **(trial or {})})
        return promote_version(self.run(objects, **options), source, measured, to=to, dry_run=dry_run)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, new_store: Callable[[], Tracking]) -> Registry:
    """Two good versions, one with home and away mixed up, one that has seen everything, one without a last day."""
    data_dir = write_dataset(tmp_path_factory.mktemp("promote"), played=1500)
    tracking = new_store()
    for alias, start in (("good", None), ("equal", date(2022, 9, 15))):
        train(data_dir, from_day=start, until_day=UNTIL, aliases=[alias], tracking=tracking)
    train(data_dir, aliases=["all-seeing"], tracking=tracking)
    matches = read_training_set(data_dir, until_day=UNTIL)
    mixed_up = LogisticRegression().fit(matches.rows, 2 - matches.outcomes)
    register(tracking, mixed_up, name="matchcast", alias="mixed-up", tags={"trained_until": UNTIL.isoformat()})
    silent = LogisticRegression().fit(matches.rows, matches.outcomes)
    register(tracking, silent, name="matchcast", alias="silent")
    return Registry(tracking, data_dir)


@pytest.fixture
def registry(store: Registry) -> Registry:
    """The store as every test finds it: an equal candidate next to the champion."""
    store.name("champion", like="good")
    store.name("candidate", like="equal")
    return store


@pytest.fixture
def objects(registry: Registry) -> InMemoryObjects:
    """A bucket that serves the champion, and the same as smoke."""
    objects = InMemoryObjects()
    registry.name("smoke", like="good")
    registry.publish(objects, "champion", "smoke")
    return objects


def served_models(objects: InMemoryObjects) -> ServedModels:
    return ServedModels(ManifestReader(objects, MODEL_MANIFEST_KEY, ModelManifest, 0), objects, load_onnx)


def content(objects: InMemoryObjects) -> dict[str, Any]:
    return {key: objects.get(key) for key in keys(objects)}


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


class TestCrashes:
    """The same command, run again, finishes what a crash has interrupted."""

    def test_before_the_switch_nothing_has_changed(self, registry: Registry) -> None:
        # GIVEN a bucket that does not answer when the manifest is to be switched
        class Dying(InMemoryObjects):
            def switch(self, key: str, body: bytes, etag: str | None) -> bool:
                if dies:
                    raise StorageUnavailable("The data bucket did not answer.")
                return super().switch(key, body, etag)

        dies, objects = False, Dying()
        registry.publish(objects, "champion")
        dies = True
        # WHEN
        with pytest.raises(StorageUnavailable):
            registry.promote(objects)
        # THEN
        assert served_models(objects).get("champion").published.version == registry.version("good")
        assert registry.version("champion") == registry.version("good")
        # WHEN it answers again
        dies = False
        # THEN
        assert registry.promote(objects).change.release == 2

    def test_before_the_alias_the_next_run_moves_it(
        self, registry: Registry, objects: InMemoryObjects, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # GIVEN a run that was interrupted after the switch, before it moved the alias
        def die(*_: Any) -> Any:
            raise KeyboardInterrupt

        with monkeypatch.context() as dying:
            dying.setattr(release_run, "move_alias", die)
            with pytest.raises(KeyboardInterrupt):
                registry.promote(objects)
        assert served_models(objects).get("champion").published.version == registry.version("equal")
        assert registry.version("champion") == registry.version("good")

        # WHEN
        again = registry.promote(objects).change

        # THEN
        assert not again.is_new
        assert again.alias is not None
        assert (again.alias.before, again.alias.version) == (registry.version("good"), registry.version("equal"))
        assert registry.version("champion") == registry.version("equal")


class TestRefusals:
    """Each leaves manifest, files and alias as they were."""

    @pytest.fixture(autouse=True)
    def _nothing_changes(self, registry: Registry, objects: InMemoryObjects) -> Iterator[None]:
        before = objects.get(MODEL_MANIFEST_KEY)
        yield
        assert objects.get(MODEL_MANIFEST_KEY) == before
        assert registry.version("champion") == registry.version("good")

    def test_an_unknown_alias(self, registry: Registry, objects: InMemoryObjects) -> None:
        with pytest.raises(AliasUnknown, match="nobody"):
            registry.promote(objects, "nobody")

    def test_an_alias_to_itself(self, registry: Registry, objects: InMemoryObjects) -> None:
        with pytest.raises(BadInput, match="another stage than itself"):
            registry.promote(objects, "champion")

    def test_too_few_settled_matches(self, registry: Registry, objects: InMemoryObjects) -> None:
        with pytest.raises(GatesFailed, match=r"settled is 0, limit 200: .*--hold-out-last-season"):
            registry.promote(objects, "all-seeing")

    def test_a_training_with_an_unknown_end(self, registry: Registry, objects: InMemoryObjects) -> None:
        with pytest.raises(ReleaseRefused, match="trained_until"):
            registry.promote(objects, "silent")
        day = UNTIL + timedelta(days=1)
        done = registry.promote(objects, "silent", dry_run=True, trial={"golden_from": day, "limits": Limits(drift=1)})
        assert done.report is not None

    def test_matches_that_the_champion_has_seen(self, registry: Registry, objects: InMemoryObjects) -> None:
        with pytest.raises(BadInput, match="are not to be scored on what they have seen"):
            registry.promote(objects, trial={"golden_from": date(2023, 1, 1)})

    def test_a_dataset_without_any_match_for_it(
        self, registry: Registry, objects: InMemoryObjects, tmp_path: Path
    ) -> None:
        small = write_dataset(tmp_path, played=60, fixtures=0)
        with pytest.raises(ReleaseRefused, match="no match to try"):
            registry.promote(objects, trial={"data_dir": small, "golden_from": date.max})

    def test_a_champion_whose_files_are_damaged(self, registry: Registry, objects: InMemoryObjects) -> None:
        key = next(key for key in keys(objects) if key.endswith("model.onnx"))
        objects.put(key, b"changed")
        with pytest.raises(ReleaseRefused, match=r"cannot be loaded to compare with.*matchcast publish"):
            registry.promote(objects)

    def test_a_lost_race(self, registry: Registry, objects: InMemoryObjects, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(objects, "switch", lambda *_: False)
        with pytest.raises(ReleaseRaceLost, match="Somebody else"):
            registry.promote(objects)


class TestAndThen:
    """What the next command finds."""

    def test_a_publish_releases_nothing_else(self, registry: Registry, objects: InMemoryObjects) -> None:
        registry.promote(objects)
        registry.publish(objects, "champion", "smoke")
        assert ReleaseHistory(objects).numbers == (2, 1)

    def test_a_rollback_moves_the_alias_back_and_a_publish_does_not_undo_it(
        self, registry: Registry, objects: InMemoryObjects
    ) -> None:
        # GIVEN
        good = registry.version("good")
        registry.promote(objects)

        # WHEN
        done = roll_back(registry.run(objects))

        # THEN
        assert done.change.undone == []
        assert registry.version("champion") == good
        # WHEN the champion is published again
        registry.publish(objects, "champion", "smoke")
        # THEN
        assert served_models(objects).get("champion").published.version == good
        assert ReleaseHistory(objects).numbers == (3, 2, 1)

    def test_a_snapshot_is_asked_for_after_the_switch(self, registry: Registry, objects: InMemoryObjects) -> None:
        # GIVEN
        seen: list[str] = []

        def refresh() -> dict[str, Any]:
            seen.append(served_models(objects).get("champion").published.version)
            raise ReleaseRefused("No dataset is published yet.")

        # WHEN
        done = registry.promote(objects, refresh=refresh)
        # THEN the new version was served already, and the snapshot is left to do
        assert seen == [registry.version("equal")]
        (problem,) = done.change.undone
        assert "No dataset is published yet. Run `matchcast snapshot`" in problem
        assert served_models(objects).get("champion").published.version == registry.version("equal")


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


@pytest.mark.parametrize(("name", "version"), [("matchcast", "999"), ("nobody", "1")])
def test_an_alias_that_the_registry_cannot_move_is_reported_and_not_raised(
    registry: Registry, name: str, version: str
) -> None:
    done = move_alias(registry.tracking, name, "champion", version)
    assert done.version is None
    assert f"does not name version {version}" in (done.problem or "")
    assert registry.version("champion") == registry.version("good")
