"""Roll a stage back to what it served before, from the kept manifests alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from matchcast.domain.manifests import PublishedModel
from matchcast.errors import ReleaseRefused
from matchcast.ports import ReleaseStore
from matchcast.releases.history import ReleaseHistory
from matchcast.releases.readers import read_files
from matchcast.releases.switching import KEPT_RELEASES, Attribution, Switched, switch
from matchcast_tools.errors import BadInput
from matchcast_tools.models.aliases import Aliased, move_alias
from matchcast_tools.models.refresh import Refresh, Refreshed
from matchcast_tools.models.tracking import Tracking


@dataclass(frozen=True, slots=True)
class Rollback:
    """What `rollback` did; `rolled_back` is off where the stage served that version already."""

    stage: str
    before: str | None
    version: str
    restores: int
    release: int
    rolled_back: bool
    switched: Switched | None
    alias: Aliased
    snapshot: Refreshed | None

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
            "restores": self.restores,
            "release": self.release,
            "rolled_back": self.rolled_back,
            "removed": list(self.switched.removed) if self.switched else [],
            "alias": self.alias.as_dict(),
            "snapshot": self.snapshot.as_dict() if self.snapshot else None,
        }


def rollback(
    objects: ReleaseStore,
    stage: str = "champion",
    *,
    to_release: int | None = None,
    why: str | None = None,
    by: str | None = None,
    tracking: Tracking | None = None,
    runtimes: tuple[str, ...] | None = None,
    keep: int = KEPT_RELEASES,
    refresh: Refresh | None = None,
    progress: Callable[[str], None] = lambda _: None,
    now: datetime | None = None,
) -> Rollback:
    """Have a stage serve what it served before, or what it served in a release that is named.

    A rollback after a rollback goes one further back. The other stages stay. The registry is only asked after the
    switch, to move the alias back; where it fails that is told, and the rollback stands.

    Parameters
    ----------
    objects
        The data bucket.
    stage
        The stage, and the alias that is moved with it.
    to_release
        The release whose version is wanted.
    why, by
        Recorded in the history.
    tracking
        The MLflow store.
    runtimes
        What the stack's images can serve; None does not ask.
    keep
        How many releases keep their files.
    refresh
        Makes a new snapshot; None makes none.
    progress
        Told what happens next.
    now
        The time that the manifest carries.

    Raises
    ------
    BadInput
        If there is no such release, or it has no such stage.
    ReleaseRefused
        If there is nothing to go back to, or its files are gone or changed, or cannot be served.
    ReleaseRaceLost
        If somebody else published meanwhile.
    """
    attribution = Attribution.of(by, why)
    releases = ReleaseHistory(objects)
    served = releases.served
    if served is None:
        raise ReleaseRefused(
            "Nothing has been published yet, so there is nothing to go back to. See `matchcast train`."
        )
    restores, model = _target(releases, stage, to_release)
    present = served.stages.get(stage)
    tracking = tracking or Tracking.find()
    if releases.present.manifest is not None and present is not None and model.files == present.files:
        alias = move_alias(tracking, model.name, stage, model.version)
        return Rollback(
            stage,
            model.version,
            model.version,
            restores,
            served.release,
            rolled_back=False,
            switched=None,
            alias=alias,
            snapshot=None,
        )
    progress(f"verifying the files of version {model.version}")
    bodies = _verified(objects, model, restores, runtimes)
    progress("switching the manifest")
    switched = switch(
        objects,
        releases,
        {**served.stages, stage: model},
        # Written again, the same, so that nobody who removes old files meanwhile takes them for old.
        {model.prefix: bodies},
        attribution=attribution,
        action="rollback",
        restores=restores,
        keep=keep,
        now=now,
    )
    alias = move_alias(tracking, model.name, stage, model.version)
    progress("making the snapshot")
    return Rollback(
        stage,
        present.version if present else None,
        model.version,
        restores,
        switched.manifest.release,
        rolled_back=True,
        switched=switched,
        alias=alias,
        snapshot=Refreshed.by(refresh),
    )


def _target(releases: ReleaseHistory, stage: str, to_release: int | None) -> tuple[int, PublishedModel]:
    """Return the release that is gone back to, and its version of the stage."""
    number = releases.before(stage) if to_release is None else to_release
    if number is None:
        raise ReleaseRefused(
            f"There is nothing to go back to: no kept release had another version under {stage}. `matchcast history "
            f"--stage {stage}` shows them; publish a version that is known to be good."
        )
    manifest = releases.get(number)
    if manifest is None:
        known = ", ".join(map(str, releases.numbers)) or "none"
        raise BadInput(f"There is no release {number} that can be read; there are: {known}.")
    model = manifest.stages.get(stage)
    if model is None:
        raise BadInput(
            f"Release {number} has no stage {stage}; it has {', '.join(sorted(manifest.stages)) or 'none'}. "
            f"`matchcast history --stage {stage}` shows the releases to choose from."
        )
    return releases.origin(stage, number), model


def _verified(
    objects: ReleaseStore, model: PublishedModel, restores: int, runtimes: tuple[str, ...] | None
) -> dict[str, bytes]:
    """Return the files of a version, if they are those that were published and the stack can serve them."""
    what = f"Version {model.version} of release {restores} cannot be served again, and nothing was changed: "
    if runtimes is not None and model.runtime not in runtimes:
        raise ReleaseRefused(
            f"{what}it needs the runtime {model.runtime}, and the stack was deployed for {', '.join(runtimes)}. Deploy "
            f"with ModelRuntime={model.runtime}, or go further back with `--to-release`."
        )
    try:
        return read_files(objects, model.prefix, model.files)
    except ReleaseRefused as error:
        raise type(error)(
            f"{what}{error.detail} Files of old versions are removed after a number of releases. Go to another "
            f"release with `--to-release` (`matchcast history` shows them), or let an alias name version "
            f"{model.version} in MLflow and run `matchcast publish`, which writes its files again."
        ) from error
