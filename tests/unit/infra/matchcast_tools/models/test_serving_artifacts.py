"""Exported versions behind functions of both runtimes: which version each serves, and why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.adapters.model_loaders import loader_for
from matchcast.adapters.pyfunc_model import FOLDER
from matchcast.domain.manifests import MODEL_MANIFEST_KEY, ModelManifest, Runtime
from matchcast.releases.readers import ManifestReader
from matchcast.releases.served_models import ServedModels
from matchcast_tools.models.artifact import Exported
from tests.support.mlflow_warnings import MLFLOW_WARNINGS
from tests.support.tasks import NOW

pytestmark = MLFLOW_WARNINGS


class TestServing:
    def served_models(self, objects: InMemoryObjects, runtime: Runtime) -> ServedModels:
        return ServedModels(ManifestReader(objects, MODEL_MANIFEST_KEY, ModelManifest, 0), objects, loader_for(runtime))

    def switch(self, objects: InMemoryObjects, release: int, exported: Exported) -> None:
        for name, body in exported.bodies.items():
            objects.put(exported.published.prefix + name, body)
        manifest = ModelManifest(release=release, published_at=NOW, stages={"champion": exported.published})
        objects.put(MODEL_MANIFEST_KEY, manifest.body())

    def test_an_image_for_onnx_keeps_serving_the_last_good_version(
        self, steady: Exported, export_of: Callable[..., Exported]
    ) -> None:
        # GIVEN a function for each runtime, which serve the same exported model
        objects = InMemoryObjects()
        self.switch(objects, 1, export_of("matchcast"))
        light, full = self.served_models(objects, "onnx"), self.served_models(objects, "pyfunc")
        before = light.get("champion").published
        assert full.get("champion").published == before
        # WHEN a model directory is released
        self.switch(objects, 2, steady)
        # THEN one serves it, the other its last good version, and says why
        assert full.get("champion").published == steady.published
        assert full.problem_of("champion") is None
        assert light.get("champion").published == before
        problem = light.problem_of("champion")
        assert problem is not None
        assert "ModelRuntime=pyfunc" in problem.detail

    def test_a_changed_file_is_refused_before_a_line_of_it_runs(
        self, steady: Exported, export_of: Callable[..., Exported], tmp_path: Path
    ) -> None:
        # GIVEN a bucket that serves a model, and a newer release of which one file was changed
        objects = InMemoryObjects()
        self.switch(objects, 1, export_of("matchcast"))
        served_models = self.served_models(objects, "pyfunc")
        before = served_models.get("champion").published
        self.switch(objects, 2, steady)
        trace = tmp_path / "ran"
        objects.put(steady.published.prefix + FOLDER + "custom.py", f"open({str(trace)!r}, 'w')".encode())

        # WHEN the function looks for a release
        # THEN it keeps the old one, names the reason, and the new file has not run
        assert served_models.get("champion").published == before
        problem = served_models.problem_of("champion")
        assert problem is not None
        assert problem.code == "digest-mismatch"
        assert not trace.exists()
