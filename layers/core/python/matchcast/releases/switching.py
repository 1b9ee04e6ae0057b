"""Every switch of the model manifest: the present one is kept, the new one says who and why, old versions go.

The manifest is the truth of what is served; the alias in MLflow is what the next `matchcast publish` will
release. A switch goes through these steps, and a crash between two of them leaves what is said of it:

1. The files are written. They are under a prefix of their own: nobody reads them yet, and files that no
   manifest comes to name are removed later.
2. The present manifest is kept under `models/releases/`, unchanged. It is served, so the history is true
   whether or not it is replaced afterwards; keeping it again writes the same.
3. The manifest is switched, by a conditional PUT: what is served changes now, or not at all.
4. Files of versions that no kept release names are removed. What is left over is removed next time.
5. The alias is moved, and then a snapshot made (promote and rollback only). Without these the service serves the
   new version on demand, the precomputed predictions are still of the old one, and a publish would bring that
   back: the same command, run again, finds the version served and makes up for the alias.
"""

from __future__ import annotations

import getpass
import math
from collections.abc import Collection, Mapping
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
from matchcast.ports import ObjectStore, ReleaseStore
from matchcast.releases.history import UNKNOWN, ReleaseHistory, moves
from matchcast.releases.publishing import switch_manifest
from matchcast.releases.retention import LEAST_AGE, prune

MODELS = "models/"
KEPT_RELEASES = 10
"""How many releases, the present one included, keep their files."""
LONGEST_REASON = 1000


@dataclass(frozen=True, slots=True)
class Attribution:
    """Who makes a release and why, as it is recorded."""

    by: str
    why: str | None

    @classmethod
    def of(cls, by: str | None, why: str | None) -> Attribution:
        """Return a signature; without a name it is that of the operating system's user.

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


def switch(
    objects: ReleaseStore,
    releases: ReleaseHistory,
    stages: Mapping[str, PublishedModel],
    bodies: Mapping[str, Mapping[str, bytes]],
    *,
    attribution: Attribution,
    action: str,
    figures: Mapping[str, float] | None = None,
    restores: int | None = None,
    keep: int = KEPT_RELEASES,
    now: datetime | None = None,
) -> Switched:
    """Make the next release: steps 1 to 4.

    Parameters
    ----------
    objects
        The data bucket.
    releases
        As they were read when the work began; whoever switched since wins.
    stages
        What every stage is to serve.
    bodies
        Files to write, by key prefix and name.
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
        stages=moves(before.stages if before else {}, dict(stages)),
        figures={name: float(value) for name, value in (figures or {}).items() if math.isfinite(value)},
        restores=restores,
    )
    manifest = ModelManifest(release=releases.next_number, published_at=at, stages=dict(stages), change=change)
    write_files(objects, bodies)
    present = releases.present
    if present.manifest is not None:
        objects.put(model_release_key(present.manifest.release), present.body, "application/json")
    switch_manifest(objects, MODEL_MANIFEST_KEY, manifest, present)
    try:
        removed = prune(objects, MODELS, kept=lambda: needed(objects, keep), older_than=at - LEAST_AGE)
    except (ReleaseRefused, Transient) as error:
        return Switched(manifest, problem=f"Files of old versions were not removed: {error.detail}")
    return Switched(manifest, tuple(removed))


def write_files(objects: ObjectStore, bodies: Mapping[str, Mapping[str, bytes]]) -> None:
    """Write files by key prefix and name; again, too, where they are there: that mends what was lost or changed."""
    for prefix, files in bodies.items():
        for file, body in files.items():
            objects.put(prefix + file, body)


def needed(objects: ReleaseStore, keep: int) -> Collection[str]:
    """Return the keys and key prefixes under `models/` that stay: the manifests, and the files that these name.

    That is the present release and the newest ones before it, `keep` in all, and whatever each stage would go
    back to.

    Raises
    ------
    ManifestInvalid
        If one of them cannot be read: then nobody knows what it needs.
    """
    releases = ReleaseHistory(objects)
    wanted = set(releases.numbers[:keep])
    if releases.present.manifest is None:
        raise ManifestInvalid(f"{MODEL_MANIFEST_KEY} cannot be read. Run `matchcast publish`.")
    for stage in releases.present.manifest.stages:
        back = releases.before(stage)
        if back is not None:
            wanted.add(back)
    stays = {MODEL_MANIFEST_KEY, MODEL_RELEASES_PREFIX}
    for number in wanted:
        manifest = releases.get(number)
        if manifest is None:
            raise ManifestInvalid(f"{model_release_key(number)} cannot be read; remove it if its release is given up.")
        stays |= {model.prefix for model in manifest.stages.values()}
    return stays
