"""A registry to promote from: its versions are named by aliases, and published into any bucket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.releases.switching import Attribution
from matchcast_tools.models.promote import Promotion, promote_version
from matchcast_tools.models.publish import publish_models
from matchcast_tools.models.release_run import ReleaseRun
from matchcast_tools.models.tracking import Tracking
from matchcast_tools.models.trial import Trial

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
        """Return the number of the version that an alias names."""
        return str(self.tracking.connect().get_registered_model("matchcast").aliases[alias])

    def publish(self, objects: InMemoryObjects, *stages: str) -> None:
        """Publish the stages of the store."""
        publish_models(self.run(objects), stages, data_dir=self.data_dir)

    def run(self, objects: InMemoryObjects, why: str | None = None, **options: Any) -> ReleaseRun:
        """Return a run on the bucket, signed by ada."""
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
