"""Served models: models by stage, loaded once, the last good version kept."""

from __future__ import annotations

from datetime import UTC

import pytest

from matchcast.errors import (
    ModelUnavailable,
    ReleaseRefused,
    StageNotFound,
    StorageUnavailable,
)
from matchcast.releases.served_models import ServedModels
from tests.support.counted_releases import (
    Clock,
    CountingObjects,
    Loader,
    models,
    publish_models,
)


class TestServedModels:
    def test_loads_an_artifact_once_for_all_stages_and_requests(self, objects: CountingObjects, clock: Clock) -> None:
        # GIVEN two stages of one version, and a third of another
        publish_models(objects, 1, champion="a", candidate="a", smoke="b")
        load = Loader()
        served_models = ServedModels(models(objects, clock), objects, load)

        # WHEN each stage is asked for again and again
        for _ in range(3):
            assert served_models.get("champion").model is served_models.get("candidate").model
            assert served_models.get("smoke").published.version == "b"

        # THEN
        assert load.loaded == ["a", "b"]
        assert served_models.get("candidate").stage == "candidate"
        assert served_models.get("champion").loaded_at.tzinfo is UTC

    def test_serves_a_newly_published_version_after_the_refresh(self, objects: CountingObjects, clock: Clock) -> None:
        publish_models(objects, 1, champion="a")
        served_models = ServedModels(models(objects, clock), objects, Loader())
        served_models.get("champion")

        publish_models(objects, 2, champion="b")
        assert served_models.get("champion").published.version == "a"
        clock.now += 30
        assert served_models.get("champion").published.version == "b"

    def test_an_unknown_stage_is_not_found_and_the_message_names_the_known_ones(
        self, objects: CountingObjects, clock: Clock
    ) -> None:
        publish_models(objects, 1, champion="a", smoke="b")
        with pytest.raises(StageNotFound, match="champion, smoke"):
            ServedModels(models(objects, clock), objects, Loader()).get("unknown")

    @pytest.mark.parametrize("fault", ["flipped", "truncated", "missing", "refused by the loader"])
    def test_keeps_the_last_good_version_when_a_new_one_is_refused(
        self, objects: CountingObjects, clock: Clock, fault: str
    ) -> None:
        # GIVEN a served version
        publish_models(objects, 1, champion="a")
        load = Loader()
        served_models = ServedModels(models(objects, clock), objects, load)
        served_models.get("champion")

        # WHEN a broken one is published
        publish_models(objects, 2, champion="bad")
        key = "models/matchcast/bad/model.onnx"
        if fault == "flipped":
            objects.put(key, b"bae")
        elif fault == "truncated":
            objects.put(key, b"ba")
        elif fault == "missing":
            objects.remove(key)
        clock.now += 30

        # THEN the old one serves, with the reason, and the broken one is not tried by every request
        for _ in range(3):
            assert served_models.get("champion").published.version == "a"
        assert isinstance(served_models.problem_of("champion"), ReleaseRefused)
        assert objects.asked.count(key) == 1
        assert load.loaded == (["a", "bad"] if fault == "refused by the loader" else ["a"])

        # AND a mended one is taken up
        publish_models(objects, 3, champion="c")
        clock.now += 30
        assert served_models.get("champion").published.version == "c"
        assert served_models.problem_of("champion") is None

    def test_a_refused_version_is_tried_again_after_the_next_check(
        self, objects: CountingObjects, clock: Clock
    ) -> None:
        # GIVEN a refused version, and the one before that is served
        publish_models(objects, 1, champion="a")
        served_models = ServedModels(models(objects, clock), objects, Loader())
        served_models.get("champion")
        publish_models(objects, 2, champion="b")
        objects.put("models/matchcast/b/model.onnx", b"half")
        clock.now += 30
        assert served_models.get("champion").published.version == "a"

        # WHEN the artifact is mended and the next check comes
        objects.put("models/matchcast/b/model.onnx", b"b")
        clock.now += 30

        # THEN
        assert served_models.get("champion").published.version == "b"

    def test_going_back_to_the_served_version_ends_the_problem(self, objects: CountingObjects, clock: Clock) -> None:
        # GIVEN a refused version, and the one before that is served
        publish_models(objects, 1, champion="a")
        load = Loader()
        served_models = ServedModels(models(objects, clock), objects, load)
        served_models.get("champion")
        publish_models(objects, 2, champion="bad")
        clock.now += 30
        served_models.get("champion")
        assert served_models.problem_of("champion") is not None

        # WHEN the served version is published again
        publish_models(objects, 3, champion="a")
        clock.now += 30

        # THEN
        assert served_models.get("champion").published.version == "a"
        assert served_models.problem_of("champion") is None
        assert load.loaded == ["a", "bad"]

    def test_a_bucket_that_goes_away_between_manifest_and_artifact(
        self, objects: CountingObjects, clock: Clock
    ) -> None:
        # GIVEN a bucket that answers for manifests only
        publish_models(objects, 1, champion="a")
        served_models = ServedModels(models(objects, clock), objects, Loader())
        objects.unreadable = "model.onnx"

        # WHEN a model is asked for
        # THEN there is none, and each request tries again
        for _ in range(2):
            with pytest.raises(ModelUnavailable, match="did not answer"):
                served_models.get("champion")
        objects.unreadable = None
        assert served_models.get("champion").published.version == "a"

        # WHEN a later version cannot be read
        # THEN the last good one stays, and not every request asks again
        publish_models(objects, 2, champion="b")
        objects.unreadable = "model.onnx"
        clock.now += 30
        for _ in range(3):
            assert served_models.get("champion").published.version == "a"
        assert isinstance(served_models.problem_of("champion"), StorageUnavailable)
        assert objects.asked.count("models/matchcast/b/model.onnx") == 1

    def test_with_no_good_version_the_model_is_unavailable(self, objects: CountingObjects, clock: Clock) -> None:
        publish_models(objects, 1, champion="bad")
        with pytest.raises(ModelUnavailable, match="no model"):
            ServedModels(models(objects, clock), objects, Loader()).get("champion")
