"""A custom Python model as files of a release: what comes with it, and which models are refused."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from matchcast.adapters.model_loaders import load_any
from matchcast.adapters.pyfunc_model import FOLDER, MLMODEL
from matchcast.domain.signature import Column
from matchcast.errors import ParityFailed, ReleaseRefused
from matchcast_tools.models import artifact, model_directory
from matchcast_tools.models.artifact import Exported
from matchcast_tools.models.export import NotExportable, convert
from matchcast_tools.models.registry import load_version, resolve
from matchcast_tools.models.tracking import Tracking
from matchcast_tools.models.train import Trained
from tests.support.datasets import FEATURES
from tests.support.mlflow_models import Constant, logistic, register, register_with
from tests.support.mlflow_warnings import MLFLOW_WARNINGS
from tests.support.pyfunc_models import STEADY, code, in_process

pytestmark = MLFLOW_WARNINGS


@pytest.fixture
def custom(tracking: Tracking, trained: Trained, tmp_path: Path) -> Callable[..., str]:
    """Register a custom Python model whose `predict` has a body; return its name."""

    def run(body: str, name: str, **options: Any) -> str:
        (tmp_path / "custom.py").write_text(code(body))
        register_with(tracking, "pyfunc", str(tmp_path / "custom.py"), name=name, **options)
        return name

    return run


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
        # Loaded in this process: a process for each takes seconds.
        columns = [Column(name=name, type="float") for name in FEATURES]
        monkeypatch.setattr(artifact, "load_isolated", lambda _, bodies: in_process(bodies, columns))
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
