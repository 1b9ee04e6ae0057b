"""A model directory that cannot serve is refused while it is loaded, and leaves no file behind."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from matchcast.adapters.pyfunc_model import MLMODEL, load_pyfunc
from matchcast.errors import ReleaseRefused
from tests.support.mlflow_warnings import MLFLOW_WARNINGS
from tests.support.pyfunc_models import LOGISTIC, ROWS, code, no_advice, published, saved

pytestmark = MLFLOW_WARNINGS


class TestRefusals:
    @pytest.mark.parametrize("name", ["../outside", "/etc/outside", "model/../../outside", "model\\outside"])
    def test_no_file_is_written_outside_of_the_folder(
        self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        files = {MLMODEL: b"", name: b"x"}
        with pytest.raises(ReleaseRefused, match="outside of its folder"):
            load_pyfunc(published(files), files)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("files", "reason"),
        [
            ({}, "has no model/MLmodel"),
            ({MLMODEL: b"{{{ not yaml"}, "cannot be loaded here"),
            ({MLMODEL: b"flavors: {}\n"}, "cannot be loaded here"),
            ({MLMODEL: b"flavors: {python_function: {loader_module: not_there}}\n"}, "No module named 'not_there'"),
        ],
        ids=["no MLmodel", "not YAML", "no pyfunc flavor", "a loader that is not there"],
    )
    def test_what_is_no_model_directory(
        self, files: dict[str, bytes], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        with pytest.raises(ReleaseRefused, match=reason):
            load_pyfunc(published(files), files)
        assert list(tmp_path.iterdir()) == [], "what was written for a model that is refused stays behind"

    def test_code_that_raises_while_it_is_loaded(self) -> None:
        files = saved(code(LOGISTIC))
        name = next(name for name in files if name.endswith(".py"))
        files[name] = b"raise RuntimeError('not today')"
        with pytest.raises(ReleaseRefused, match=r"cannot be loaded here.*not today"):
            load_pyfunc(published(files), files)

    def test_functions_that_another_python_pickled(self) -> None:
        files = saved(local_model())
        assert load_pyfunc(published(files), files).predict(ROWS).shape == (3, 3)

        here = f"{sys.version_info.major}.{sys.version_info.minor}."
        files[MLMODEL] = files[MLMODEL].replace(f"python_version: {here}".encode(), b"python_version: 3.8.")
        with pytest.raises(ReleaseRefused, match=r"pickled by Python 3\.8"):
            load_pyfunc(published(files), files)

    def test_an_image_without_mlflow_says_how_to_get_one_with_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        files = saved(code(LOGISTIC))
        monkeypatch.setitem(sys.modules, "mlflow.pyfunc", None)
        with pytest.raises(ReleaseRefused, match="ModelRuntime=pyfunc"):
            load_pyfunc(published(files), files)


def local_model() -> Any:
    """Return a model whose class no module has, so that its code is in the pickle."""
    from mlflow.pyfunc import PythonModel

    with no_advice():

        class Local(PythonModel):
            def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
                return [[0.5, 0.3, 0.2]] * len(model_input)

    return Local()
