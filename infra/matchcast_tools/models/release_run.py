"""What publish, promote and rollback share: what they work with, and the end of a change of one stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from matchcast.domain.manifests import PublishedModel
from matchcast.errors import ReleaseRefused, Transient
from matchcast.ports import ReleaseStore
from matchcast.releases.history import ReleaseHistory, version_of
from matchcast.releases.publishing import Bodies
from matchcast.releases.retention import KEPT_RELEASES
from matchcast.releases.switching import Attribution, Switched, switch_models
from matchcast_tools.errors import EnvironmentProblem
from matchcast_tools.models.registry import MODEL_NAME
from matchcast_tools.models.tracking import Tracking
from matchcast_tools.progress import Steps

Refresh = Callable[[], dict[str, Any]]
"""Asks the stack for a new snapshot (`matchcast_tools.stack.invoke_refresh.invoke_refresh`)."""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """The id of the new snapshot, or why there is none."""

    snapshot_id: str | None
    problem: str | None = None

    @classmethod
    def by(cls, refresh: Refresh | None) -> Refreshed | None:
        """Return what came of a refresh; None where none is asked for."""
        if refresh is None:
            return None
        try:
            return cls(refresh().get("snapshot_id"))
        except (EnvironmentProblem, ReleaseRefused, Transient) as error:
            return cls(
                None,
                f"There is no new snapshot, so precomputed predictions are still those of the version before: "
                f"{error.detail} Run `matchcast snapshot`.",
            )


@dataclass(frozen=True, slots=True)
class Aliased:
    """What became of an alias: the version it names now, the one before, and what is to be done by hand."""

    alias: str
    version: str | None
    before: str | None
    problem: str | None = None


def move_alias(tracking: Tracking, name: str, alias: str, version: str) -> Aliased:
    """Let an alias of a registered model name a version; a registry that fails is reported in `problem`, not raised.

    What is served has been switched by then, and stays.
    """
    try:
        client = tracking.connect()
        with tracking.answering():
            present = client.get_registered_model(name).aliases.get(alias)
            before = None if present is None else str(present)
            if before != version:
                client.set_registered_model_alias(name, alias, version)
    except EnvironmentProblem as error:
        return Aliased(
            alias,
            None,
            None,
            f"The alias {alias} of {name} does not name version {version}: {error.detail} Set it by hand, or the next "
            f"`matchcast publish` releases what it names now: "
            f"MlflowClient().set_registered_model_alias('{name}', '{alias}', '{version}').",
        )
    return Aliased(alias, version, before)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRun:
    """What a run of publish, promote or rollback works with.

    Attributes
    ----------
    objects
        The data bucket.
    tracking, name
        The MLflow store, by default the one that `Tracking.find` returns, and the registered model.
    runtimes
        What the stack's images can serve (`matchcast_tools.models.artifact.runtimes_of`).
    attribution, keep, now
        As `switch_models` takes them.
    refresh
        Makes a new snapshot; None makes none.
    progress
        Is called with what happens next.
    """

    objects: ReleaseStore
    tracking: Tracking = field(default_factory=Tracking.find)
    name: str = MODEL_NAME
    runtimes: tuple[str, ...] = ("onnx",)
    attribution: Attribution = field(default_factory=Attribution.of)
    keep: int = KEPT_RELEASES
    refresh: Refresh | None = None
    progress: Steps = lambda _: None
    now: datetime | None = None

    def switch(
        self,
        releases: ReleaseHistory,
        stages: Mapping[str, PublishedModel],
        bodies: Bodies,
        *,
        action: str,
        figures: Mapping[str, float] | None = None,
        restores: int | None = None,
    ) -> Switched:
        """Make the next release, as `switch_models` does."""
        return switch_models(
            self.objects,
            releases,
            stages,
            bodies,
            attribution=self.attribution,
            action=action,
            figures=figures,
            restores=restores,
            keep=self.keep,
            now=self.now,
        )

    def change_stage(
        self,
        releases: ReleaseHistory,
        stages: Mapping[str, PublishedModel],
        stage: str,
        model: PublishedModel,
        files: Mapping[str, bytes],
        *,
        action: str,
        figures: Mapping[str, float] | None = None,
        restores: int | None = None,
    ) -> StageChange:
        """Make a release in which one of the stages serves another version, then move the alias, then make a snapshot.

        `stages` is what every stage serves until then; the others stay.

        Raises
        ------
        ReleaseRaceLost
            If somebody else published meanwhile.
        """
        self.progress("switching the manifest")
        after, bodies = {**stages, stage: model}, {model.prefix: files}
        switched = self.switch(releases, after, bodies, action=action, figures=figures, restores=restores)
        alias = move_alias(self.tracking, model.name, stage, model.version)
        self.progress("making the snapshot")
        snapshot = Refreshed.by(self.refresh)
        before = version_of(stages.get(stage))
        return StageChange(stage, before, model.version, switched.manifest.release, switched, alias, snapshot)


@dataclass(frozen=True, slots=True)
class StageChange:
    """From which version to which a stage went; `switched` is None where nothing was changed.

    `release` is the one that is served now; None where there is none yet.
    """

    stage: str
    before: str | None
    version: str
    release: int | None
    switched: Switched | None = None
    alias: Aliased | None = None
    snapshot: Refreshed | None = None

    @property
    def is_new(self) -> bool:
        """Tell whether the manifest was switched."""
        return self.switched is not None

    @property
    def undone(self) -> list[str]:
        """Return what did not work after the switch, with what to do about it."""
        return [part.problem for part in (self.alias, self.snapshot) if part is not None and part.problem]

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON has them."""
        return {
            "stage": self.stage,
            "from": self.before,
            "to": self.version,
            "release": self.release,
            "removed": list(self.switched.removed) if self.switched else [],
            "alias": asdict(self.alias) if self.alias else None,
            "snapshot": asdict(self.snapshot) if self.snapshot else None,
        }
