"""A version as files: which runtime it gets, what comes with it, and which models are refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightgbm
import numpy as np
import pytest
from lightgbm import LGBMClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.adapters.model_loaders import load_any, loader_for
from matchcast.adapters.pyfunc_model import FOLDER, MLMODEL
from matchcast.domain.manifests import MODEL_MANIFEST_KEY, ModelManifest, Runtime
from matchcast.errors import ModelFailed, ParityFailed, ReleaseRefused
from matchcast.releases.readers import ManifestReader
from matchcast.releases.served_models import ServedModels
from matchcast.snapshots.dataset import FEATURES_FILE
from matchcast_tools.errors import EnvironmentProblem
from matchcast_tools.models import artifact, model_directory
from matchcast_tools.models.artifact import Exported, export, runtimes_of
from matchcast_tools.models.export import NotExportable, convert
from matchcast_tools.models.isolated import IsolatedModel
from matchcast_tools.models.registry import load_version, resolve
from matchcast_tools.models.tracking import Tracking
from matchcast_tools.models.train import Trained
from tests.support.datasets import FEATURES
from tests.support.mlflow_models import Constant, logistic, register, register_with
from tests.support.mlflow_warnings import MLFLOW_WARNINGS
from tests.support.pyfunc_models import code, published, saved
from tests.support.tasks import NOW

pytestmark = MLFLOW_WARNINGS

BOTH = ("onnx", "pyfunc")
STEADY = "return np.tile([0.5, 0.3, 0.2], (len(model_input), 1))"


@pytest.fixture
def export_of(trained: Trained, tracking: Tracking, data_dir: Path) -> Callable[..., Exported]:
    """`export` of the champion of a registered model."""

    def run(name: str, runtimes: Any = BOTH) -> Exported:
        return export(resolve("champion", tracking, name), tracking, data_dir, runtimes)

    return run


@pytest.fixture
def custom(tracking: Tracking, trained: Trained, tmp_path: Path) -> Callable[..., str]:
    """Register a custom Python model whose `predict` has a body; return its name."""

    def run(body: str, name: str, **options: Any) -> str:
        (tmp_path / "custom.py").write_text(code(body))
        register_with(tracking, "pyfunc", str(tmp_path / "custom.py"), name=name, **options)
        return name

    return run


@pytest.fixture(scope="module")
def steady(trained: Trained, tracking: Tracking, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """The registered custom model `steady`, which brings a module of its own, exported once."""
    folder = tmp_path_factory.mktemp("steady")
    (folder / "helping.py").write_text("HOME = 0.5\n")
    body = "import helping; return np.tile([helping.HOME, 0.3, 0.2], (len(model_input), 1))"
    (folder / "custom.py").write_text(code(body))
    helping = [str(folder / "helping.py")]
    register_with(tracking, "pyfunc", str(folder / "custom.py"), name="steady", code_paths=helping)
    return export(resolve("champion", tracking, "steady"), tracking, data_dir, BOTH)


class TestPyfunc:
    def test_a_custom_model_is_published_as_it_is(self, steady: Exported) -> None:
        # WHEN it is exported
        # THEN its files are those of the model
        assert steady.published.runtime == "pyfunc"
        assert steady.parity_rows == 630
        assert steady.parity_difference <= 1e-7
        assert {MLMODEL, FOLDER + "custom.py", "signature.json", "lineage.json"} <= set(steady.bodies)
        for name, entry in steady.published.files.items():
            assert entry.sha256 == hashlib.sha256(steady.bodies[name]).hexdigest()
        rows = np.zeros((2, len(FEATURES)), dtype=np.float32)
        found = load_any(steady.published, steady.bodies).predict(rows)
        np.testing.assert_allclose(found, [[0.5, 0.3, 0.2]] * 2, rtol=1e-6)

    def test_the_same_version_gives_the_same_files_under_the_same_prefix(
        self, steady: Exported, export_of: Callable[..., Exported], tracking: Tracking
    ) -> None:
        # GIVEN the bytecode of its own code, which loading a model leaves behind
        left = load_version(resolve("champion", tracking, "steady"), tracking).folder / "code" / "__pycache__"
        left.mkdir(exist_ok=True)
        (left / "helping.cpython-313.pyc").write_bytes(b"bytecode")
        # WHEN
        second = export_of("steady")
        # THEN
        assert second.published == steady.published
        assert second.bodies == steady.bodies

    def test_a_stack_for_onnx_alone_refuses_it_and_says_what_to_do(
        self, steady: Exported, export_of: Callable[..., Exported]
    ) -> None:
        with pytest.raises(NotExportable, match=r"logged as python_function.*ModelRuntime=pyfunc"):
            export_of(steady.published.name, ["onnx"])

    def test_a_model_that_can_be_exported_is_not_served_as_code(self, export_of: Callable[..., Exported]) -> None:
        assert export_of("matchcast").published.runtime == "onnx"

    def test_failing_parity_never_falls_back(
        self, export_of: Callable[..., Exported], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(artifact, "to_onnx", lambda _: convert("it", logistic(), len(FEATURES)))
        with pytest.raises(ParityFailed, match="differ by up to"):
            export_of("matchcast")

    @pytest.mark.parametrize(
        ("name", "body", "error", "reason"),
        [
            ("dice", "return np.random.default_rng().dirichlet([1, 1, 1], len(model_input))", ParityFailed, "differ"),
            ("nowhere", "return np.full((len(model_input), 3), np.nan)", ParityFailed, "differ by up to inf"),
            ("scores", "return np.tile([2.0, 1.0, 0.5], (len(model_input), 1))", ReleaseRefused, "off by up to 2.5"),
            ("negative", "return np.tile([1.5, -0.5, 0], (len(model_input), 1))", ReleaseRefused, "least is -0.5"),
            ("labels", "return np.zeros(len(model_input))", ReleaseRefused, "its own signature.*predict_proba"),
            ("broken", "raise KeyError('x')", ReleaseRefused, "its own signature.*KeyError"),
        ],
    )
    def test_what_gives_no_probabilities_is_refused(  # noqa: PLR0917
        self,
        name: str,
        body: str,
        error: type[ReleaseRefused],
        reason: str,
        custom: Callable[..., str],
        export_of: Callable[..., Exported],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        # Loaded in this process: a fresh interpreter for each takes seconds.
        monkeypatch.setattr(artifact, "IsolatedModel", load_any)
        with pytest.raises(error, match=reason):
            export_of(custom(body, name))

    def test_a_model_that_needs_code_which_it_does_not_bring_is_refused(
        self, trained: Trained, tracking: Tracking, export_of: Callable[..., Exported]
    ) -> None:
        # Its class is a module of these tests: this process can import it, an image could not.
        register(tracking, Constant(), name="homeless")
        with pytest.raises(ReleaseRefused, match=r"cannot be loaded here.*tests.*code_paths"):
            export_of("homeless")

    def test_a_library_that_the_images_lack_is_named(
        self, custom: Callable[..., str], export_of: Callable[..., Exported]
    ) -> None:
        wanted = ["mlflow>=3", "NumPy>=2", "xgboost==3.1.0", "pywin32; sys_platform == 'win32'"]
        name = custom(STEADY, "foreign", pip_requirements=wanted)
        with pytest.raises(ReleaseRefused, match=r"images for pyfunc lack: xgboost\. Add them to.*requirements-pyfunc"):
            export_of(name)

    def test_a_directory_that_no_function_could_hold_is_refused(
        self, steady: Exported, export_of: Callable[..., Exported], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(model_directory, "LARGEST_BYTES", 100)
        with pytest.raises(ReleaseRefused, match="The directory of steady version 1 has 0 MB"):
            export_of(steady.published.name)


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


class TestIsolation:
    def test_a_model_that_crashes_its_interpreter_is_a_failure(self) -> None:
        files = saved(code("import os; os._exit(3)"))
        with pytest.raises(ModelFailed, match="ended its interpreter with status 3"):
            IsolatedModel(published(files), files).predict(np.zeros((1, 2), dtype=np.float32))

    def test_a_model_that_does_not_end_is_a_failure(self, monkeypatch: pytest.MonkeyPatch) -> None:
        files = saved(code("import time; time.sleep(60)"))
        monkeypatch.setattr("matchcast_tools.models.isolated.SECONDS", 0.5)
        with pytest.raises(ModelFailed, match="did not predict within"):
            IsolatedModel(published(files), files).predict(np.zeros((1, 2), dtype=np.float32))

    def test_errors_come_back_as_what_they_are(self) -> None:
        files = saved(code("raise KeyError('x')"))
        with pytest.raises(ModelFailed, match="KeyError"):
            IsolatedModel(published(files), files).predict(np.zeros((1, 2), dtype=np.float32))

    def test_it_knows_neither_this_checkout_nor_the_registry(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example.org")
        body = "import importlib.util as u, os\n"
        body += "assert not [n for n in ('infra', 'tests', 'functions') if u.find_spec(n)]\n"
        body += "assert 'MLFLOW_TRACKING_URI' not in os.environ\n" + STEADY
        files = saved(code(body))
        found = IsolatedModel(published(files), files).predict(np.zeros((1, 2), dtype=np.float32))
        np.testing.assert_allclose(found, [[0.5, 0.3, 0.2]], rtol=1e-6)


def training() -> tuple[Any, Any]:
    random = np.random.default_rng(3)
    return random.normal(size=(300, len(FEATURES))).astype(np.float32), np.arange(300) % 3


def small() -> Any:
    return LGBMClassifier(n_estimators=4, num_leaves=5, verbose=-1, n_jobs=1)


class TestOnnx:
    """Models that are logged as people log them: without a word on what MLflow shall call."""

    @pytest.mark.parametrize(
        ("flavor", "model"),
        [
            ("sklearn", LogisticRegression()),
            ("sklearn", small()),
            ("sklearn", make_pipeline(StandardScaler(), small())),
            ("lightgbm", small()),
        ],
        ids=["logistic regression", "lightgbm as scikit-learn", "pipeline with lightgbm", "lightgbm"],
    )
    def test_classifiers(
        self, flavor: str, model: Any, trained: Trained, tracking: Tracking, export_of: Callable[..., Exported]
    ) -> None:
        model.fit(*training())
        options: dict[str, Any] = {"serialization_format": "cloudpickle"} if flavor == "sklearn" else {}
        register_with(tracking, flavor, model, name="plain", **options)
        exported = export_of("plain", ["onnx"])
        assert exported.published.runtime == "onnx"
        assert exported.parity_rows == 630
        assert exported.parity_difference <= 1e-5

    def test_a_booster(self, trained: Trained, tracking: Tracking, export_of: Callable[..., Exported]) -> None:
        rows, outcomes = training()
        parameters = {"objective": "multiclass", "num_class": 3, "verbose": -1, "num_threads": 1}
        booster = lightgbm.train(parameters, lightgbm.Dataset(rows, outcomes), 4)
        register_with(tracking, "lightgbm", booster, name="booster")
        exported = export_of("booster", ["onnx"])
        assert exported.published.runtime == "onnx"
        assert exported.parity_difference <= 1e-5


class TestLineage:
    def test_names_run_data_settings_scores_and_libraries(
        self, export_of: Callable[..., Exported], trained: Trained, data_dir: Path, tracking: Tracking
    ) -> None:
        # WHEN
        exported = export_of("matchcast")
        lineage = json.loads(exported.bodies["lineage.json"])
        # THEN
        assert "lineage.json" in exported.published.files
        assert (lineage["name"], lineage["version"], lineage["run_id"]) == (
            "matchcast",
            trained.version,
            trained.run_id,
        )
        assert lineage["source"] == f"models:/{lineage['model_id']}"
        assert lineage["params"]["rows"] == str(trained.rows)
        assert lineage["metrics"] == pytest.approx(trained.metrics)
        assert lineage["trained_from"] == trained.trained_from.isoformat()
        assert lineage["trained_until"] == trained.trained_until.isoformat()
        assert lineage["dataset"] == hashlib.sha256((data_dir / FEATURES_FILE).read_bytes()).hexdigest()
        assert lineage["flavors"] == ["python_function", "sklearn"]
        assert {"mlflow", "python", "sklearn"} <= set(lineage["libraries"])

    def test_is_the_same_each_time_and_another_one_gets_another_prefix(
        self, steady: Exported, export_of: Callable[..., Exported], tracking: Tracking
    ) -> None:
        first = export_of("matchcast")
        assert export_of("matchcast").bodies == first.bodies
        client = tracking.connect()
        client.set_model_version_tag("steady", "1", "reviewed", "yes")
        after = export_of("steady")
        client.delete_model_version_tag("steady", "1", "reviewed")
        assert json.loads(after.bodies["lineage.json"])["tags"] == {"reviewed": "yes"}
        assert after.published.prefix != steady.published.prefix

    def test_a_version_without_a_run_of_ours_has_gaps(self, steady: Exported) -> None:
        lineage = json.loads(steady.bodies["lineage.json"])
        assert lineage["dataset"] is None
        assert lineage["trained_from"] is None
        assert lineage["params"] == {}


@pytest.mark.parametrize(("runtime", "expected"), [("onnx", ("onnx",)), ("pyfunc", BOTH)])
def test_a_stack_says_what_its_images_serve(runtime: str, expected: tuple[str, ...]) -> None:
    stack: Any = SimpleNamespace(output={"ModelRuntime": runtime}.__getitem__)
    assert runtimes_of(stack) == expected


def test_a_stack_of_an_older_template_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from matchcast_tools.stack.deployed import Stack
    from matchcast_tools.stack.sessions import laptop_session

    stack = Stack("old", "eu-west-1", "http://127.0.0.1:1", None, {}, laptop_session(1))
    with pytest.raises(EnvironmentProblem, match="ModelRuntime"):
        runtimes_of(stack)
