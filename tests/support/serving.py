"""serve_predictions over a snapshot in memory, made of the parts that the composition root uses."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from functions.serve_predictions.documents import OPENAPI
from functions.serve_predictions.handler import api
from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.adapters.parquet_snapshot import parse_snapshot
from matchcast.bootstrap import http, releases, snapshots
from matchcast.domain.manifests import MODEL_MANIFEST_KEY, SNAPSHOT_MANIFEST_KEY, ModelManifest, SnapshotManifest
from matchcast.http.cursors import Cursors
from matchcast.releases.readers import ManifestReader
from matchcast.settings import ServePredictionsSettings
from matchcast.snapshots.serve import ServeSnapshot, StaleAfter
from tests.support.snapshots import NOW

if TYPE_CHECKING:
    import pytest


class Service:
    """The function's parts, with a clock that is moved by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.objects = InMemoryObjects()
        self.now = NOW + timedelta(minutes=5)
        self.settings = ServePredictionsSettings(data_bucket_name="bucket", cursor_secret_name="secret")
        self.restart()
        monkeypatch.setattr(snapshots, "serve_snapshot", lambda: self.use_case)
        monkeypatch.setattr(releases, "models", lambda: self.models)
        monkeypatch.setattr(snapshots, "serve_predictions_settings", lambda: self.settings)
        monkeypatch.setattr(http, "settings", lambda: self.settings)
        monkeypatch.setattr(api, "settings", lambda: self.settings)
        cursors = Cursors(lambda: b"secret")
        monkeypatch.setattr(http, "cursors", lambda: cursors)

    def restart(self, **settings: object) -> None:
        """Begin a new environment, with other settings."""
        self.settings = self.settings.model_copy(update=settings)
        manifests = ManifestReader(self.objects, SNAPSHOT_MANIFEST_KEY, SnapshotManifest, 30, monotonic=self.seconds)
        self.models = ManifestReader(self.objects, MODEL_MANIFEST_KEY, ModelManifest, 30, monotonic=self.seconds)
        parse = partial(parse_snapshot, bookmaker=self.settings.odds_bookmaker)
        stale = StaleAfter(self.settings.snapshot_stale_seconds, self.settings.results_stale_seconds)
        self.use_case = ServeSnapshot(manifests, self.objects, parse, lambda: self.now, stale)

    def seconds(self) -> float:
        return self.now.timestamp()

    def later(self, seconds: float = 31) -> None:
        self.now += timedelta(seconds=seconds)


def shipped(lifetime: int) -> dict[str, Any]:
    """Return the document that ships, with the longest time that `start_within` may be on a stack."""
    document: dict[str, Any] = json.loads(OPENAPI.read_text())
    for kind in ("MatchSubmission", "FeaturesSubmission"):
        (bounds, _) = document["components"]["schemas"][kind]["properties"]["start_within"]["anyOf"]
        assert bounds == {"type": "integer", "minimum": 1, "maximum": 259_200}
        bounds["maximum"] = lifetime
    return document
