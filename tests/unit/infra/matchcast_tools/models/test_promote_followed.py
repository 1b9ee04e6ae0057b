"""What a promotion leaves to the commands after it: a publish, a rollback, a snapshot."""

from __future__ import annotations

from typing import Any

from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.errors import ReleaseRefused
from matchcast.releases.history import ReleaseHistory
from matchcast_tools.models.rollback import roll_back
from tests.support.mlflow_warnings import MLFLOW_WARNINGS
from tests.support.promotions import Registry
from tests.support.served import served_models

pytestmark = MLFLOW_WARNINGS


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
