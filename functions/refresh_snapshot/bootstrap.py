"""The parts of refresh_snapshot; the product's composition root cannot make them, since it knows no `infra`."""

from __future__ import annotations

from collections.abc import Callable

from matchcast.bootstrap import parts
from matchcast.domain.manifests import MODEL_MANIFEST_KEY, ModelManifest, SnapshotManifest
from matchcast.settings import RefreshSnapshotSettings


def refresh() -> Callable[[], SnapshotManifest]:
    """Return what makes and publishes one snapshot.

    The model manifest is asked anew each time: a snapshot that follows a release has to be made
    by that release's model.
    """
    from matchcast.adapters.model_loaders import loader_for
    from matchcast.releases.readers import ManifestReader
    from matchcast.releases.served_models import ServedModels
    from matchcast.snapshots.make import refresh_snapshot

    settings = RefreshSnapshotSettings()
    objects = parts.objects()
    models = ManifestReader(
        objects, MODEL_MANIFEST_KEY, ModelManifest, refresh_seconds=0, report=parts.reports("model")
    )
    served_models = ServedModels(models, objects, loader_for(settings.model_runtime))

    def run() -> SnapshotManifest:
        return refresh_snapshot(
            objects,
            served_models.get(settings.snapshot_stage),
            bookmaker=settings.odds_bookmaker,
            edge_threshold=settings.edge_threshold,
        )

    return run


def remove_old_snapshots() -> Callable[[], list[str]]:
    """Return what deletes the files of snapshots that nobody needs any more, and tells their keys."""
    from matchcast.releases.retention import prune_snapshots

    keep = RefreshSnapshotSettings().snapshots_kept
    return lambda: prune_snapshots(parts.objects(), keep)
