"""A promotion that is interrupted is finished by the next one, and an alias that cannot be moved stops none."""

from __future__ import annotations

from typing import Any

import pytest

from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.errors import StorageUnavailable
from matchcast_tools.models import release_run
from matchcast_tools.models.release_run import move_alias
from tests.support.mlflow_warnings import MLFLOW_WARNINGS
from tests.support.promotions import Registry
from tests.support.served import served_models

pytestmark = MLFLOW_WARNINGS


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


@pytest.mark.parametrize(("name", "version"), [("matchcast", "999"), ("nobody", "1")])
def test_an_alias_that_the_registry_cannot_move_is_reported_and_not_raised(
    registry: Registry, name: str, version: str
) -> None:
    done = move_alias(registry.tracking, name, "champion", version)
    assert done.version is None
    assert f"does not name version {version}" in (done.problem or "")
    assert registry.version("champion") == registry.version("good")
