"""Roll a stage back to what it served before, from the kept manifests alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from matchcast.domain.manifests import PublishedModel
from matchcast.errors import ReleaseRefused
from matchcast.releases.files import read_files
from matchcast.releases.history import ReleaseHistory
from matchcast_tools.errors import BadInput
from matchcast_tools.models.release_run import ReleaseRun, StageChange, move_alias


@dataclass(frozen=True, slots=True)
class Rollback:
    """What `roll_back` did; `restores` is the release that first brought the version that is back."""

    restores: int
    change: StageChange

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON has them."""
        return {**self.change.as_dict(), "restores": self.restores, "rolled_back": self.change.is_new}


def roll_back(run: ReleaseRun, stage: str = "champion", *, to_release: int | None = None) -> Rollback:
    """Have a stage, and its alias, serve what it served before, or what it served in the release `to_release`.

    A rollback after a rollback goes one further back. The other stages stay. The registry is only asked after the
    switch, to move the alias back; where that fails it is reported, and the rollback stands.

    Raises
    ------
    BadInput
        If there is no such release, or it has no such stage.
    ReleaseRefused
        If there is nothing to go back to, or its files are gone or changed, or cannot be served.
    ReleaseRaceLost
        If somebody else published meanwhile.
    """
    releases = ReleaseHistory(run.objects)
    served = releases.served
    if served is None:
        raise ReleaseRefused(
            "Nothing has been published yet, so there is nothing to go back to. See `matchcast train`."
        )
    restores, model = _target(releases, stage, to_release)
    present = served.stages.get(stage)
    if releases.present.manifest is not None and present is not None and model.files == present.files:
        alias = move_alias(run.tracking, model.name, stage, model.version)
        return Rollback(restores, StageChange(stage, model.version, model.version, served.release, alias=alias))
    run.progress(f"verifying the files of version {model.version}")
    # Written again, the same, so that a publisher who removes old files meanwhile does not take them for old.
    files = _verified(run, model, restores)
    change = run.change_stage(releases, served.stages, stage, model, files, action="rollback", restores=restores)
    return Rollback(restores, change)


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


def _verified(run: ReleaseRun, model: PublishedModel, restores: int) -> dict[str, bytes]:
    """Return the files of a version, if they are those that were published and the stack can serve them."""
    what = f"Version {model.version} of release {restores} cannot be served again, and nothing was changed: "
    if model.runtime not in run.runtimes:
        raise ReleaseRefused(
            f"{what}it needs the runtime {model.runtime}, and the stack was deployed for {', '.join(run.runtimes)}. "
            f"Deploy with ModelRuntime={model.runtime}, or go further back with `--to-release`."
        )
    try:
        return read_files(run.objects, model.prefix, model.files)
    except ReleaseRefused as error:
        raise type(error)(
            f"{what}{error.detail} Files of old versions are removed after a number of releases. Go to another "
            f"release with `--to-release` (`matchcast history` shows them), or let an alias name version "
            f"{model.version} in MLflow and run `matchcast publish`, which writes its files again."
        ) from error
