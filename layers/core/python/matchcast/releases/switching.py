"""The next release of the models: steps 1 to 4 of the protocol (`matchcast.releases`), with who made it and why."""

from __future__ import annotations

import getpass
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from matchcast.domain.manifests import (
    MODEL_MANIFEST_KEY,
    MODEL_RELEASES_PREFIX,
    Change,
    ModelManifest,
    PublishedModel,
    model_release_key,
)
from matchcast.errors import InvalidRequest, ManifestInvalid, ReleaseRefused, Transient
from matchcast.ports import ReleaseStore
from matchcast.releases.history import UNKNOWN, ReleaseHistory, moves
from matchcast.releases.publishing import Bodies, publish_release
from matchcast.releases.retention import KEPT_RELEASES, LEAST_AGE, folder_of, prune

LONGEST_REASON = 1000


@dataclass(frozen=True, slots=True)
class Attribution:
    """Who makes a release and why, as it is recorded."""

    by: str
    why: str | None

    @classmethod
    def of(cls, by: str | None = None, why: str | None = None) -> Attribution:
        """Return an attribution; without a name it is to the operating system's user.

        Raises
        ------
        InvalidRequest
            If a text is too long to be read by every function with each manifest.
        """
        for option, text in (("--by", by), ("--why", why)):
            if text is not None and len(text) > LONGEST_REASON:
                raise InvalidRequest(f"{option} has {len(text)} characters; give {LONGEST_REASON} at most.")
        return cls((by or "").strip() or user_name(), (why or "").strip() or None)


@dataclass(frozen=True, slots=True)
class Switched:
    """The manifest that is served now, the keys of files that were removed, and why more could not be."""

    manifest: ModelManifest
    removed: tuple[str, ...] = ()
    problem: str | None = None


def user_name() -> str:
    """Return the name of the operating system's user, or `unknown` where there is none, as in many containers."""
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):
        return UNKNOWN


def switch_models(
    objects: ReleaseStore,
    releases: ReleaseHistory,
    stages: Mapping[str, PublishedModel],
    bodies: Bodies,
    *,
    attribution: Attribution,
    action: str,
    figures: Mapping[str, float] | None = None,
    restores: int | None = None,
    keep: int = KEPT_RELEASES,
    now: datetime | None = None,
) -> Switched:
    """Make the next release of the models, and remove the files of those that are too old.

    Parameters
    ----------
    objects
        The data bucket.
    releases
        As they were read when the work began; a publisher that switched since wins.
    stages
        What every stage is to serve.
    bodies
        Files to write.
    attribution, action, figures, restores
        What the release says of itself (`matchcast.domain.manifests.Change`).
    keep
        How many releases keep their files.
    now
        The time that the manifest carries.

    Raises
    ------
    ReleaseRaceLost
        If somebody else switched meanwhile.
    """
    at = now or datetime.now(UTC)
    before = releases.served
    change = Change(
        action=action,
        by=attribution.by,
        at=at,
        why=attribution.why,
        stages=moves(before.stages if before else {}, stages),
        figures={name: float(value) for name, value in (figures or {}).items() if math.isfinite(value)},
        restores=restores,
    )
    manifest = ModelManifest(release=releases.next_number, published_at=at, stages=dict(stages), change=change)
    publish_release(objects, MODEL_MANIFEST_KEY, manifest, bodies, releases.present)
    try:
        return Switched(manifest, tuple(prune_models(objects, keep, at)))
    except (ReleaseRefused, Transient) as error:
        return Switched(manifest, problem=f"Files of old versions were not removed: {error.detail}")


def prune_models(objects: ReleaseStore, keep: int, now: datetime) -> list[str]:
    """Delete the files of old versions, and return their keys.

    What stays are the manifests, the files of the present release and of the newest ones before it, `keep` in all,
    and whatever each stage would go back to.

    Raises
    ------
    ManifestInvalid
        If one of these manifests cannot be read: then what it needs is unknown, and nothing is deleted.
    StorageUnavailable
        If something could not be listed or deleted.
    """
    return prune(
        objects, folder_of(MODEL_MANIFEST_KEY), kept=lambda: _still_needed(objects, keep), older_than=now - LEAST_AGE
    )


def _still_needed(objects: ReleaseStore, keep: int) -> set[str]:
    """Return the keys and key prefixes of the models that stay."""
    releases = ReleaseHistory(objects)
    present = releases.present.manifest
    if present is None:
        raise ManifestInvalid(f"{MODEL_MANIFEST_KEY} cannot be read. Run `matchcast publish`.")
    stays = {MODEL_MANIFEST_KEY, MODEL_RELEASES_PREFIX}
    back = (releases.before(stage) for stage in present.stages)
    for number in {*releases.numbers[:keep], *(number for number in back if number is not None)}:
        manifest = releases.get(number)
        if manifest is None:
            raise ManifestInvalid(f"{model_release_key(number)} cannot be read; remove it if its release is given up.")
        stays |= {model.prefix for model in manifest.stages.values()}
    return stays
