"""A refused release is reported once per check of the bucket, by each reader; a passing fault is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.bootstrap import releases
from matchcast.domain.manifests import MODEL_MANIFEST_KEY, SNAPSHOT_MANIFEST_KEY, ModelManifest, SnapshotManifest
from matchcast.errors import MatchcastError, ModelUnavailable, ReleaseRefused, SnapshotUnavailable, StorageUnavailable
from matchcast.ports import StoredObject
from matchcast.releases.readers import ManifestReader
from matchcast.releases.served_models import ServedModels
from matchcast.snapshots.features import FeatureRows, MatchIds
from tests.support.logs import capture_logs
from tests.support.releases import MATCHES, SNAPSHOT_ID, Release, parse

MATCH = next(iter(MATCHES))


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class Watched:
    """A release and its readers, which ask the bucket every 30 seconds, with what they report."""

    def __init__(self) -> None:
        self.release = Release()
        self.objects = self.release.objects
        self.clock = Clock()
        self.reported: list[MatchcastError] = []
        self.models = ManifestReader(
            self.objects, MODEL_MANIFEST_KEY, ModelManifest, 30, self.clock, report=self.reported.append
        )
        self.snapshots = ManifestReader(
            self.objects, SNAPSHOT_MANIFEST_KEY, SnapshotManifest, 30, self.clock, report=self.reported.append
        )
        self.served_models = ServedModels(self.models, self.objects, self.release.load)
        self.ids = MatchIds(self.snapshots, self.objects)
        self.features = FeatureRows(self.snapshots, self.objects, parse)

    def later(self) -> None:
        self.clock.seconds += 31


@pytest.fixture
def watched() -> Watched:
    return Watched()


Ask = Callable[[Watched], object]
ASKS: dict[str, tuple[str, Ask]] = {
    "models": (MODEL_MANIFEST_KEY, lambda watched: watched.served_models.get("champion")),
    "ids": (SNAPSHOT_MANIFEST_KEY, lambda watched: MATCH in watched.ids),
    "features": (SNAPSHOT_MANIFEST_KEY, lambda watched: watched.features.rows([MATCH], ["form"])),
}
FILES = {
    "models": "models/matchcast/4/model.onnx",
    "ids": f"snapshots/{SNAPSHOT_ID}-new/match_ids.txt",
    "features": f"snapshots/{SNAPSHOT_ID}-new/match_features.parquet",
}
each_kind = pytest.mark.parametrize("kind", ASKS)


@each_kind
def test_a_bad_manifest_is_reported_once_per_check_and_not_once_per_request(watched: Watched, kind: str) -> None:
    # GIVEN a bad manifest in place of one that was read
    manifest, ask = ASKS[kind]
    ask(watched)
    watched.objects.put(manifest, b"{")

    # WHEN each of three checks is followed by many requests
    # THEN each check reports one refused release
    for look in (1, 2, 3):
        watched.later()
        for _ in range(5):
            assert ask(watched)
        assert len(watched.reported) == look
    assert all(isinstance(problem, ReleaseRefused) for problem in watched.reported)


@each_kind
def test_a_release_with_a_bad_file_is_reported_once_per_check(watched: Watched, kind: str) -> None:
    # GIVEN a newer release whose files are elsewhere
    manifest, ask = ASKS[kind]
    ask(watched)
    present = watched.objects.get(manifest)
    assert present is not None
    body = present.body.replace(b"models/matchcast/3/", b"models/matchcast/4/").replace(
        f"snapshots/{SNAPSHOT_ID}/".encode(), f"snapshots/{SNAPSHOT_ID}-new/".encode()
    )
    watched.objects.put(manifest, body)
    watched.objects.put(FILES[kind], b"something else")
    # WHEN it is asked for again and again
    for look in (1, 2):
        watched.later()
        for _ in range(5):
            assert ask(watched)
        assert len(watched.reported) == look
    # THEN the last good one has answered, and a mended manifest is not reported
    watched.objects.put(manifest, present.body)
    watched.later()
    assert ask(watched)
    assert len(watched.reported) == 2


@each_kind
def test_where_nothing_was_ever_published_nothing_is_reported(watched: Watched, kind: str) -> None:
    manifest, ask = ASKS[kind]
    watched.objects.delete([manifest])
    for _ in range(2):
        watched.later()
        with pytest.raises((ModelUnavailable, SnapshotUnavailable)):
            ask(watched)
    assert watched.reported == []


@each_kind
def test_a_bad_first_release_is_reported(watched: Watched, kind: str) -> None:
    manifest, ask = ASKS[kind]
    watched.objects.put(manifest, b"{")
    with pytest.raises((ModelUnavailable, SnapshotUnavailable)):
        ask(watched)
    assert len(watched.reported) == 1


@each_kind
def test_a_deleted_manifest_is_reported(watched: Watched, kind: str) -> None:
    manifest, ask = ASKS[kind]
    ask(watched)
    watched.objects.delete([manifest])
    watched.later()
    assert ask(watched)
    assert len(watched.reported) == 1


@each_kind
def test_a_bucket_out_of_reach_is_not_a_refused_release(
    watched: Watched, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a release that was read, and a bucket that is out of reach since
    _, ask = ASKS[kind]
    ask(watched)

    def away(*_: Any) -> StoredObject | None:
        raise StorageUnavailable("The data bucket did not answer.")

    monkeypatch.setattr(watched.objects, "get_if_changed", away)

    # WHEN it is asked for again
    watched.later()

    # THEN it is served, and nothing is reported
    assert ask(watched)
    assert watched.reported == []


@pytest.mark.parametrize(("kind", "key"), [("model", MODEL_MANIFEST_KEY), ("snapshot", SNAPSHOT_MANIFEST_KEY)])
def test_functions_log_and_count_it_under_its_kind(
    kind: str, key: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN the reader that every function is given
    objects = InMemoryObjects()
    objects.put(key, b"{")
    monkeypatch.setattr(releases, "objects", lambda: objects)
    monkeypatch.setenv("DATA_BUCKET_NAME", "data")
    logged = capture_logs(monkeypatch)
    make: Any = releases.models if kind == "model" else releases.snapshots
    # WHEN it finds a manifest that cannot be read
    with pytest.raises((ModelUnavailable, SnapshotUnavailable)):
        make.__wrapped__().current()
    # THEN there is a line that says what is wrong, and a metric with the kind as its only dimension in one set
    (line,) = logged.lines
    assert (line["level"], line["message"], line["kind"], line["code"]) == (
        "ERROR",
        "release refused",
        kind,
        "manifest-invalid",
    )
    assert key in line["detail"]
    (metric,) = [json.loads(text) for text in capsys.readouterr().out.splitlines() if "_aws" in text]
    (described,) = metric["_aws"]["CloudWatchMetrics"]
    assert (metric["release_problems_total"], metric["kind"]) == ([1.0], kind)
    assert described["Namespace"] == "matchcast"
    assert ["kind"] in described["Dimensions"]
