"""Rolling back: what is served after it, what refuses it, and what happens to the alias and the snapshot."""

from __future__ import annotations

from typing import Any

import pytest

from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.domain.manifests import MODEL_MANIFEST_KEY, ModelManifest
from matchcast.errors import DigestMismatch, ManifestInvalid, ReleaseRaceLost, ReleaseRefused
from matchcast.releases.history import ReleaseHistory
from matchcast.releases.switching import Attribution
from matchcast_tools.errors import BadInput, EnvironmentProblem
from matchcast_tools.models.release_run import ReleaseRun
from matchcast_tools.models.rollback import Rollback, roll_back
from matchcast_tools.models.tracking import Tracking
from tests.support.model_releases import at, body, release, version
from tests.support.objects import keys

NO_REGISTRY = Tracking("sqlite:////nowhere/mlflow.db")


@pytest.fixture
def objects() -> InMemoryObjects:
    """Releases 1 to 3 of the champion, the last one with another stage."""
    objects = InMemoryObjects()
    release(objects, {"champion": "1"})
    release(objects, {"champion": "2"})
    release(objects, {"champion": "3", "smoke": "7"})
    return objects


def served(objects: InMemoryObjects) -> dict[str, str]:
    stored = objects.get(MODEL_MANIFEST_KEY)
    assert stored is not None
    return {stage: each.version for stage, each in ModelManifest.parse(stored.body, "now").stages.items()}


def content(objects: InMemoryObjects) -> dict[str, Any]:
    return {key: objects.get(key) for key in keys(objects)}


def go_back(
    objects: InMemoryObjects,
    stage: str = "champion",
    *,
    to_release: int | None = None,
    why: str | None = None,
    **options: Any,
) -> Rollback:
    attribution = Attribution("ada", why)
    run = ReleaseRun(objects=objects, tracking=NO_REGISTRY, attribution=attribution, now=at(9), **options)
    return roll_back(run, stage, to_release=to_release)


def test_the_stage_serves_what_it_served_before_and_the_others_stay(objects: InMemoryObjects) -> None:
    done = go_back(objects, why="worse on Sundays")

    assert served(objects) == {"champion": "2", "smoke": "7"}
    assert (done.change.before, done.change.version, done.restores, done.change.release) == ("3", "2", 2, 4)
    entry = next(ReleaseHistory(objects).entries())
    assert (entry.action, entry.by, entry.why, entry.restores) == ("rollback", "ada", "worse on Sundays", 2)


def test_the_files_are_written_again_so_that_nobody_removes_them_as_old_ones(objects: InMemoryObjects) -> None:
    # GIVEN files that were written long ago
    before = {each.key: objects.get(each.key) for each in objects.list_objects("models/matchcast/")}
    objects.now = lambda: at(9)

    # WHEN
    go_back(objects)

    # THEN those of the version that is back are new, and the same
    written = {each.key for each in objects.list_objects("models/matchcast/") if each.modified_at == at(9)}
    assert written == {key for key in before if "/2/" in key}
    assert {key: objects.get(key) for key in before} == before


def test_any_kept_release_can_be_named(objects: InMemoryObjects) -> None:
    assert go_back(objects, to_release=1).change.version == "1"
    assert go_back(objects, to_release=3).change.version == "3"
    assert served(objects) == {"champion": "3", "smoke": "7"}
    # One further back than release 3 is release 2, whatever was served in between.
    assert go_back(objects).change.version == "2"


def test_the_version_that_is_served_already_changes_nothing(objects: InMemoryObjects) -> None:
    before = content(objects)
    done = go_back(objects, to_release=3)
    assert not done.change.is_new
    assert content(objects) == before


def test_an_unreadable_manifest_can_be_rolled_back_too(objects: InMemoryObjects) -> None:
    objects.put(MODEL_MANIFEST_KEY, b'{"half')
    done = go_back(objects)
    # Release 3 was never kept, so release 2 is the newest that is known.
    assert served(objects) == {"champion": "2"}
    assert done.change.release == 4


def test_a_registry_out_of_reach_is_reported_and_the_rollback_stands(objects: InMemoryObjects) -> None:
    done = go_back(objects)
    assert served(objects)["champion"] == "2"
    (problem,) = done.change.undone
    assert "set_registered_model_alias('matchcast', 'champion', '2')" in problem
    assert "matchcast publish" in problem
    assert done.as_dict()["alias"]["problem"] == problem


def test_a_snapshot_that_fails_is_reported_and_the_rollback_stands(objects: InMemoryObjects) -> None:
    def refresh() -> dict[str, Any]:
        raise EnvironmentProblem("The function could not be run.")

    done = go_back(objects, refresh=refresh)
    assert served(objects)["champion"] == "2"
    assert "The function could not be run. Run `matchcast snapshot`" in done.change.undone[1]


def test_a_new_snapshot_is_made_after_the_switch(objects: InMemoryObjects) -> None:
    # GIVEN
    seen: list[dict[str, str]] = []

    def refresh() -> dict[str, Any]:
        seen.append(served(objects))
        return {"snapshot_id": "s1"}

    # WHEN
    done = go_back(objects, refresh=refresh)
    # THEN the release that was gone back to was served already
    assert seen == [{"champion": "2", "smoke": "7"}]
    assert done.as_dict()["snapshot"] == {"snapshot_id": "s1", "problem": None}


class TestRefusals:
    """Each leaves every object as it was."""

    @pytest.fixture(autouse=True)
    def _nothing_changes(self, objects: InMemoryObjects) -> Any:
        yield
        assert served(objects) == {"champion": "3", "smoke": "7"}
        assert ReleaseHistory(objects).numbers == (3, 2, 1)

    def test_nothing_before(self, objects: InMemoryObjects) -> None:
        with pytest.raises(ReleaseRefused, match=r"nothing to go back to.*matchcast history --stage smoke"):
            go_back(objects, "smoke")
        with pytest.raises(ReleaseRefused, match="nothing to go back to"):
            go_back(objects, "nobody")

    def test_nothing_published(self) -> None:
        with pytest.raises(ReleaseRefused, match="Nothing has been published yet"):
            go_back(InMemoryObjects())

    def test_an_unknown_release(self, objects: InMemoryObjects) -> None:
        with pytest.raises(BadInput, match="no release 8 that can be read; there are: 3, 2, 1"):
            go_back(objects, to_release=8)

    def test_a_release_without_the_stage(self, objects: InMemoryObjects) -> None:
        with pytest.raises(BadInput, match="Release 1 has no stage smoke; it has champion"):
            go_back(objects, "smoke", to_release=1)

    def test_a_changed_file(self, objects: InMemoryObjects) -> None:
        objects.put(version("2").prefix + "model.onnx", body("2")[:-1] + b"x")
        with pytest.raises(DigestMismatch, match=r"nothing was changed.*--to-release.*matchcast publish"):
            go_back(objects)

    def test_a_file_that_is_gone(self, objects: InMemoryObjects) -> None:
        objects.delete([version("2").prefix + "model.onnx"])
        with pytest.raises(ManifestInvalid, match="Files of old versions are removed"):
            go_back(objects)

    def test_a_runtime_that_the_stack_was_not_deployed_for(self, objects: InMemoryObjects) -> None:
        with pytest.raises(ReleaseRefused, match="Deploy with ModelRuntime=onnx"):
            go_back(objects, runtimes=("pyfunc",))

    def test_a_lost_race(self, objects: InMemoryObjects) -> None:
        # GIVEN a bucket whose manifest has changed since it was read
        class Raced(InMemoryObjects):
            def switch(self, key: str, body: bytes, etag: str | None) -> bool:
                return super().switch(key, body, "another")

        raced = Raced()
        for key in keys(objects):
            raced.put(key, objects.get(key).body)  # type: ignore[union-attr]
        # WHEN it is rolled back
        # THEN that fails, and the stages are unchanged
        with pytest.raises(ReleaseRaceLost):
            go_back(raced)
        assert served(raced) == {"champion": "3", "smoke": "7"}


def test_after_a_damaged_one_the_one_further_back_can_be_named(objects: InMemoryObjects) -> None:
    objects.delete([version("2").prefix + "model.onnx"])
    assert go_back(objects, to_release=1).change.version == "1"
