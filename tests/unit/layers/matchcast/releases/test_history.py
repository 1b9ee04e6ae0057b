"""The history of releases: what is listed of each, and what a stage would go back to."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.domain.manifests import MODEL_MANIFEST_KEY, FileEntry, ModelManifest, model_release_key
from matchcast.releases.history import ReleaseHistory
from matchcast.releases.switching import Attribution, switch_models
from matchcast_tools.models.release_run import ReleaseRun
from matchcast_tools.models.rollback import roll_back
from matchcast_tools.models.tracking import Tracking
from tests.support.model_releases import SIGNED, at, body, release, version
from tests.support.tasks import NOW

NO_REGISTRY = Tracking("sqlite:////nowhere/mlflow.db")
KEPT = 20
"""More releases than a test makes, so that it can go back to each of them."""


@pytest.fixture
def objects() -> InMemoryObjects:
    return InMemoryObjects()


def champions(objects: InMemoryObjects, *versions: str) -> None:
    for number in versions:
        release(objects, {"champion": number}, keep=KEPT)


def go_back(objects: InMemoryObjects) -> str:
    """Roll the champion back and return the version that it serves then."""
    run = ReleaseRun(objects=objects, tracking=NO_REGISTRY, attribution=SIGNED, keep=KEPT)
    return roll_back(run).change.version


class TestEntries:
    def test_are_newest_first_and_say_who_when_what_and_why(self, objects: InMemoryObjects) -> None:
        # GIVEN two published champions and a rollback
        champions(objects, "1", "2")
        signed = Attribution("grace", "too many draws")
        roll_back(ReleaseRun(objects=objects, tracking=NO_REGISTRY, attribution=signed, now=at(3)))

        # WHEN the history is read
        newest, second, first = (entry.model_dump() for entry in ReleaseHistory(objects).entries())

        # THEN
        assert newest == {
            "release": 3,
            "is_served": True,
            "at": at(3).isoformat(),
            "action": "rollback",
            "by": "grace",
            "why": "too many draws",
            "stages": {"champion": {"from": "2", "to": "1"}},
            "figures": {},
            "restores": 1,
        }
        assert (second["action"], second["by"], second["why"]) == ("publish", SIGNED.by, None)
        assert second["stages"] == {"champion": {"from": "1", "to": "2"}}
        assert first["stages"] == {"champion": {"from": None, "to": "1"}}
        assert not first["is_served"]

    def test_of_a_stage_are_those_that_changed_it(self, objects: InMemoryObjects) -> None:
        release(objects, {"champion": "1"})
        release(objects, {"champion": "1", "smoke": "2"})
        release(objects, {"smoke": "2"})

        assert [entry.release for entry in ReleaseHistory(objects).entries("champion")] == [3, 1]
        assert [entry.release for entry in ReleaseHistory(objects).entries("smoke")] == [2]
        ended = next(ReleaseHistory(objects).entries("champion"))
        assert ended.model_dump()["stages"] == {"champion": {"from": "1", "to": None}}

    def test_are_none_before_the_first_release(self, objects: InMemoryObjects) -> None:
        assert list(ReleaseHistory(objects).entries()) == []

    def test_of_releases_from_before_changes_were_recorded_are_derived_from_their_stages(
        self, objects: InMemoryObjects
    ) -> None:
        # GIVEN a manifest as it was written then, and a release of today
        old = ModelManifest(release=7, published_at=NOW, stages={"champion": version("1")})
        objects.put(MODEL_MANIFEST_KEY, old.model_dump_json(exclude={"change"}).encode())
        objects.put(version("1").prefix + "model.onnx", body("1"))
        release(objects, {"champion": "2"})

        # WHEN
        newest, oldest = ReleaseHistory(objects).entries()

        # THEN the old one is derived from its stages
        assert (newest.release, oldest.release) == (8, 7)
        assert (oldest.action, oldest.by, oldest.at) == ("publish", "unknown", NOW)
        assert oldest.model_dump()["stages"] == {"champion": {"from": None, "to": "1"}}
        assert go_back(objects) == "1"

    def test_an_unreadable_kept_release_is_listed_as_such(self, objects: InMemoryObjects) -> None:
        champions(objects, "1", "2", "3")
        objects.put(model_release_key(2), b'{"half')

        listed = [(entry.release, entry.action) for entry in ReleaseHistory(objects).entries()]

        assert listed == [(3, "publish"), (2, "unreadable"), (1, "publish")]
        assert go_back(objects) == "1"

    def test_a_stray_file_among_the_kept_releases_is_none(self, objects: InMemoryObjects) -> None:
        champions(objects, "1", "2")
        for name in ("notes.txt", "1.json", "000000.json"):
            objects.put(f"models/releases/{name}", b"{}")
        assert ReleaseHistory(objects).numbers == (2, 1)


class TestBefore:
    def test_is_nothing_without_an_earlier_version(self, objects: InMemoryObjects) -> None:
        assert ReleaseHistory(objects).before("champion") is None
        champions(objects, "1")
        release(objects, {"champion": "1", "smoke": "2"})
        assert ReleaseHistory(objects).before("champion") is None
        assert ReleaseHistory(objects).before("unknown") is None

    def test_a_second_rollback_goes_one_further_back_not_forth_again(self, objects: InMemoryObjects) -> None:
        champions(objects, "1", "2", "3")
        assert [go_back(objects), go_back(objects)] == ["2", "1"]
        assert ReleaseHistory(objects).before("champion") is None

    def test_a_version_after_a_rollback_goes_back_to_what_was_restored(self, objects: InMemoryObjects) -> None:
        champions(objects, "1", "2", "3")
        go_back(objects)
        champions(objects, "4")
        assert [go_back(objects), go_back(objects)] == ["2", "1"]

    def test_sees_through_releases_of_other_stages(self, objects: InMemoryObjects) -> None:
        champions(objects, "1", "2")
        go_back(objects)
        release(objects, {"champion": "1", "smoke": "9"})
        champions(objects, "3")
        release(objects, {"champion": "3", "smoke": "8"})
        assert go_back(objects) == "1"

    def test_a_stage_that_ended_goes_back_to_what_it_served(self, objects: InMemoryObjects) -> None:
        release(objects, {"champion": "1", "smoke": "2"})
        release(objects, {"smoke": "2"})
        assert go_back(objects) == "1"

    def test_the_same_version_published_again_with_other_files_is_no_other_version(
        self, objects: InMemoryObjects
    ) -> None:
        # GIVEN release 3, whose lineage has a tag more than that of release 2
        champions(objects, "1", "2")
        again = version("2")
        again = again.model_copy(
            update={"prefix": "models/matchcast/2-later/", "files": {"model.onnx": FileEntry.of(b"other")}}
        )
        # WHEN
        switch_models(
            objects,
            ReleaseHistory(objects),
            {"champion": again},
            {again.prefix: {"model.onnx": b"other"}},
            attribution=SIGNED,
            action="publish",
            now=at(3),
        )
        # THEN no stage changed, a rollback goes past both, and either can be named
        assert next(ReleaseHistory(objects).entries()).stages == {}
        assert go_back(objects) == "1"
        run = ReleaseRun(objects=objects, tracking=NO_REGISTRY)
        assert roll_back(run, to_release=2).restores == 2
        assert roll_back(run, to_release=3).change.is_new

    @settings(deadline=None)
    @given(steps=st.lists(st.sampled_from(["1", "2", "3", "4", "back", "other"]), max_size=14))
    def test_is_what_a_stack_of_versions_says(self, steps: Sequence[str]) -> None:
        # GIVEN any order of releases and rollbacks
        objects, stack, others = InMemoryObjects(), ["0"], 0
        champions(objects, "0")
        for step in steps:
            if step == "back":
                if len(stack) > 1:
                    stack.pop()
                    assert go_back(objects) == stack[-1]
            elif step == "other":
                others += 1
                release(objects, {"champion": stack[-1], "smoke": f"smoke {others}"}, keep=KEPT)
            else:
                champions(objects, step)
                if step != stack[-1]:
                    stack.append(step)
            # WHEN the history is asked for the version before
            releases = ReleaseHistory(objects)
            number = releases.before("champion")
            found = None if number is None else releases.get(number)
            # THEN it is what lies under the present version
            expected = stack[-2] if len(stack) > 1 else None
            assert (found.stages["champion"].version if found else None) == expected
            assert releases.served is not None
            assert releases.served.stages["champion"].version == stack[-1]
