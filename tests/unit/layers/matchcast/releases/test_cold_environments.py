"""Environments that start while the newest release is broken."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.domain.manifests import (
    MODEL_MANIFEST_KEY,
    SNAPSHOT_MANIFEST_KEY,
    model_release_key,
)
from matchcast.errors import (
    ManifestInvalid,
    ModelUnavailable,
    ReleaseRefused,
    StorageUnavailable,
)
from matchcast.ports import ListedObject
from matchcast.releases.served_models import ServedModels
from matchcast.snapshots.contract import MATCH_FEATURES_FILE, MATCH_IDS_FILE
from matchcast.snapshots.features import FeatureRows, MatchIds
from tests.support.counted_releases import (
    IDS,
    Clock,
    CountingObjects,
    Loader,
    models,
    parse_fake,
    publish_models,
    publish_snapshot,
    snapshots,
)


class TestEnvironmentThatStartsWhileTheNewestReleaseIsBroken:
    """It has served nothing yet, so it takes the newest release before that is whole."""

    def keep(self, objects: InMemoryObjects, kind: str, key: str) -> None:
        """Keep the present manifest, as a publisher does before it switches."""
        stored = objects.get(MODEL_MANIFEST_KEY if kind == "models" else SNAPSHOT_MANIFEST_KEY)
        assert stored is not None
        objects.put(key, stored.body)

    @pytest.fixture
    def three_releases(self, objects: CountingObjects) -> CountingObjects:
        """Releases of the versions a, b and c, and then one of a version that no loader takes."""
        for release, text in enumerate(("a", "b", "c"), start=1):
            publish_models(objects, release, champion=text)
            self.keep(objects, "models", model_release_key(release))
        publish_models(objects, 4, champion="bad")
        return objects

    def test_serves_the_version_before_and_says_why(self, three_releases: CountingObjects, clock: Clock) -> None:
        load = Loader()
        served_models = ServedModels(models(three_releases, clock), three_releases, load)

        for _ in range(3):
            assert served_models.get("champion").published.version == "c"

        assert isinstance(served_models.problem_of("champion"), ReleaseRefused)
        assert load.loaded == ["bad", "c"]

    def test_goes_further_back_where_that_one_is_broken_too(
        self, three_releases: CountingObjects, clock: Clock
    ) -> None:
        three_releases.put("models/matchcast/c/model.onnx", b"half")
        three_releases.put(model_release_key(2), b"{")

        served_models = ServedModels(models(three_releases, clock), three_releases, Loader())

        assert served_models.get("champion").published.version == "a"

    @pytest.mark.parametrize("manifest", [b"{", b'{"schema_version": 99}'])
    def test_takes_the_manifest_before_where_the_newest_cannot_be_read(
        self, three_releases: CountingObjects, clock: Clock, manifest: bytes
    ) -> None:
        # GIVEN a manifest that cannot be read
        three_releases.put(MODEL_MANIFEST_KEY, manifest)
        reader = models(three_releases, clock)
        served_models = ServedModels(reader, three_releases, Loader())

        # WHEN a model is asked for
        # THEN the release before serves
        assert served_models.get("champion").published.version == "c"
        assert isinstance(reader.problem, ManifestInvalid)

        # WHEN the manifest is mended
        publish_models(three_releases, 5, champion="d")
        clock.now += 30

        # THEN it is taken up
        assert served_models.get("champion").published.version == "d"
        assert served_models.problem_of("champion") is None

    def test_takes_up_the_mended_release(self, three_releases: CountingObjects, clock: Clock) -> None:
        served_models = ServedModels(models(three_releases, clock), three_releases, Loader())
        served_models.get("champion")

        publish_models(three_releases, 5, champion="d")
        clock.now += 30

        assert served_models.get("champion").published.version == "d"
        assert served_models.problem_of("champion") is None

    def test_is_unavailable_where_no_earlier_release_can_be_read(self, objects: CountingObjects, clock: Clock) -> None:
        # GIVEN a bucket that does not list its objects
        class Unlisted(CountingObjects):
            def list_objects(self, prefix: str) -> Sequence[ListedObject]:
                raise StorageUnavailable("The data bucket did not answer.")

        unlisted = Unlisted()
        publish_models(unlisted, 1, champion="bad")

        # WHEN a model is asked for
        # THEN
        with pytest.raises(ModelUnavailable):
            ServedModels(models(unlisted, clock), unlisted, Loader()).get("champion")

        # GIVEN a bucket whose only kept release is the broken one
        publish_models(objects, 1, champion="bad")
        self.keep(objects, "models", model_release_key(1))

        # WHEN a model is asked for
        # THEN
        with pytest.raises(ModelUnavailable):
            ServedModels(models(objects, clock), objects, Loader()).get("champion")

    @pytest.mark.parametrize("broken", ["file", "manifest", "nowhere"])
    def test_reads_the_features_and_ids_of_the_snapshot_before(
        self, objects: CountingObjects, clock: Clock, broken: str
    ) -> None:
        # GIVEN a newest snapshot whose manifest or files are broken or missing
        publish_snapshot(objects, "s1")
        self.keep(objects, "snapshots", "snapshots/s1/manifest.json")
        publish_snapshot(objects, "s2")
        if broken == "manifest":
            objects.put(SNAPSHOT_MANIFEST_KEY, b"{")
        for name in (MATCH_IDS_FILE, MATCH_FEATURES_FILE):
            if broken == "file":
                objects.put(f"snapshots/s2/{name}", b"bad")
            elif broken == "nowhere":
                objects.remove(f"snapshots/s2/{name}")

        # WHEN a new environment reads
        features = FeatureRows(snapshots(objects, clock), objects, parse_fake)
        known = MatchIds(snapshots(objects, clock), objects)

        # THEN
        assert features.rows([IDS[0]], ["elo"])[IDS[0]].snapshot_id == "s1"
        assert features.current()[0].snapshot_id == "s1"
        assert IDS[0] in known
        assert features.problem is not None
        assert known.problem is not None
