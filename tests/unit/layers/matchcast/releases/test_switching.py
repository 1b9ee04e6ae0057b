"""The switch of the model manifest: what is kept, numbered, removed, and what a crash or a race leaves."""

from __future__ import annotations

import getpass
from datetime import timedelta

import pytest

from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.domain.manifests import MODEL_MANIFEST_KEY, ModelManifest, model_release_key
from matchcast.errors import InvalidRequest, ReleaseRaceLost, StorageUnavailable
from matchcast.releases.history import ReleaseHistory
from matchcast.releases.switching import LONGEST_REASON, Attribution, switch_models, user_name
from tests.support.model_releases import SIGNED, at, release, version
from tests.support.objects import keys
from tests.support.tasks import NOW


@pytest.fixture
def objects() -> InMemoryObjects:
    return InMemoryObjects()


def raw(objects: InMemoryObjects, key: str = MODEL_MANIFEST_KEY) -> bytes:
    stored = objects.get(key)
    assert stored is not None
    return stored.body


class TestTheKeptManifest:
    def test_is_the_replaced_one_byte_for_byte(self, objects: InMemoryObjects) -> None:
        # GIVEN a manifest with a field that this code does not know, in another layout
        before = ModelManifest(release=4, published_at=NOW, stages={"champion": version("1")}).model_dump_json()
        objects.put(MODEL_MANIFEST_KEY, before.replace("{", '{"later": 1, ', 1).encode())
        present = raw(objects)

        release(objects, {"champion": "2"})

        assert raw(objects, model_release_key(4)) == present
        assert ModelManifest.parse(raw(objects), "now").release == 5

    def test_is_one_that_was_served_even_if_the_switch_never_comes(self, objects: InMemoryObjects) -> None:
        # GIVEN a publisher that dies right before the switch
        class Dying(InMemoryObjects):
            def switch(self, key: str, body: bytes, etag: str | None) -> bool:
                if dies:
                    raise StorageUnavailable("The data bucket did not answer.")
                return super().switch(key, body, etag)

        dies, objects = False, Dying()
        release(objects, {"champion": "1"})
        served, dies = raw(objects), True
        # WHEN
        with pytest.raises(StorageUnavailable):
            release(objects, {"champion": "2"})

        # THEN the history has no release 2, and the same command, run again, makes it
        assert raw(objects) == raw(objects, model_release_key(1)) == served
        assert [entry.release for entry in ReleaseHistory(objects).entries()] == [1]
        dies = False
        assert release(objects, {"champion": "2"}).manifest.release == 2
        assert raw(objects, model_release_key(1)) == served

    def test_never_records_a_release_that_lost_the_race(self, objects: InMemoryObjects) -> None:
        # GIVEN two publishers that read release 1
        release(objects, {"champion": "1"})
        slow = ReleaseHistory(objects)
        release(objects, {"champion": "2"})
        # WHEN the slow one switches
        with pytest.raises(ReleaseRaceLost, match="Somebody else"):
            switch_models(
                objects, slow, {"champion": version("3")}, {}, attribution=SIGNED, action="publish", now=at(3)
            )

        # THEN its release is not in the history
        release(objects, {"champion": "4"})
        listed = [entry.model_dump()["stages"]["champion"]["to"] for entry in ReleaseHistory(objects).entries()]
        assert listed == ["4", "2", "1"]


class TestTheNumber:
    def test_rises_by_one(self, objects: InMemoryObjects) -> None:
        assert [release(objects, {"champion": number}).manifest.release for number in "123"] == [1, 2, 3]

    def test_is_none_that_was_used_when_the_manifest_is_gone_or_unreadable(self, objects: InMemoryObjects) -> None:
        for number in "123":
            release(objects, {"champion": number})
        # Release 3 is served, and was not kept yet.
        objects.put(MODEL_MANIFEST_KEY, b'{"half')
        assert ReleaseHistory(objects).next_number == 4
        objects.delete([MODEL_MANIFEST_KEY])
        assert release(objects, {"champion": "4"}).manifest.release == 4

    def test_is_none_that_was_used_when_an_old_manifest_was_put_back_by_hand(self, objects: InMemoryObjects) -> None:
        for number in "1234":
            release(objects, {"champion": number})
        objects.put(MODEL_MANIFEST_KEY, raw(objects, model_release_key(2)))
        assert release(objects, {"champion": "5"}).manifest.release == 4


class TestOldFiles:
    def files(self, objects: InMemoryObjects) -> list[str]:
        return [key.split("/")[2].split("-")[0] for key in keys(objects, "models/matchcast/")]

    def test_of_versions_that_none_of_the_newest_releases_names_are_removed(self, objects: InMemoryObjects) -> None:
        for number in "123456":
            done = release(objects, {"champion": number}, keep=3)
        assert self.files(objects) == ["4", "5", "6"]
        assert done.removed == (version("3").prefix + "model.onnx",)
        assert done.problem is None

    def test_history_outlives_them(self, objects: InMemoryObjects) -> None:
        for number in "123456":
            release(objects, {"champion": number}, keep=2)
        assert [entry.release for entry in ReleaseHistory(objects).entries()] == [6, 5, 4, 3, 2, 1]

    def test_stay_while_a_stage_still_serves_them(self, objects: InMemoryObjects) -> None:
        for number in "123456":
            release(objects, {"champion": "0", "smoke": number}, keep=2)
        assert self.files(objects) == ["0", "5", "6"]

    def test_stay_while_a_stage_would_go_back_to_them(self, objects: InMemoryObjects) -> None:
        # GIVEN a champion that changed long ago, and many releases of another stage since
        release(objects, {"champion": "a"})
        for number in "123456":
            release(objects, {"champion": "b", "smoke": number}, keep=2)
        assert self.files(objects) == ["5", "6", "a", "b"]

    def test_younger_than_an_hour_stay(self, objects: InMemoryObjects) -> None:
        # GIVEN another publisher's files, whose manifest is about to be switched
        for number in "123":
            release(objects, {"champion": number}, keep=2)
        objects.now = lambda: at(4) - timedelta(minutes=59)
        objects.put("models/matchcast/9-theirs/model.onnx", b"new")
        release(objects, {"champion": "4"}, keep=2)
        assert "9" in self.files(objects)
        release(objects, {"champion": "5"}, keep=2)
        assert "9" not in self.files(objects)

    def test_stay_when_a_kept_release_cannot_be_read_and_that_is_reported(self, objects: InMemoryObjects) -> None:
        for number in "12345":
            release(objects, {"champion": number})
        objects.put(model_release_key(4), b"{")
        done = release(objects, {"champion": "6"}, keep=4)
        assert self.files(objects) == ["1", "2", "3", "4", "5", "6"]
        assert "000004.json cannot be read" in (done.problem or "")

    def test_a_bucket_that_cannot_delete_does_not_undo_the_switch(self) -> None:
        # GIVEN a bucket that deletes nothing
        class Failing(InMemoryObjects):
            def delete(self, keys: object) -> None:
                raise StorageUnavailable("The data bucket did not answer.")

        objects = Failing()

        # WHEN more releases are made than are kept
        for number in "1234":
            done = release(objects, {"champion": number}, keep=2)

        # THEN
        assert done.manifest.release == 4
        assert "did not answer" in (done.problem or "")


class TestSignature:
    def test_is_the_systems_user_by_default(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(getpass, "getuser", lambda: "ada")
        assert Attribution.of(None, "  ") == Attribution("ada", None)
        assert Attribution.of(" grace ", "because") == Attribution("grace", "because")

    @pytest.mark.parametrize("error", [KeyError("uid"), OSError("no user"), ImportError("pwd")])
    def test_is_unknown_where_the_system_has_no_user(self, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
        def fail() -> str:
            raise error

        monkeypatch.setattr(getpass, "getuser", fail)
        assert user_name() == "unknown"

    def test_has_a_limited_length(self) -> None:
        with pytest.raises(InvalidRequest, match="--why has 1001 characters"):
            Attribution.of(None, "x" * (LONGEST_REASON + 1))


def test_only_finite_figures_are_recorded(objects: InMemoryObjects) -> None:
    figures = {"drift": 0.01, "odd": float("nan")}
    switch_models(
        objects, ReleaseHistory(objects), {}, {}, attribution=SIGNED, action="promote", figures=figures, now=NOW
    )
    assert ModelManifest.parse(raw(objects), "now").change.figures == {"drift": 0.01}  # type: ignore[union-attr]
