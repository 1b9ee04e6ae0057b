"""A model directory that cannot serve is refused while it is loaded, and leaves no file behind."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from matchcast.adapters.pyfunc_folder import open_folder
from matchcast.adapters.pyfunc_model import MLMODEL
from matchcast.errors import ModelUnavailable, ReleaseRefused
from tests.support.mlflow_warnings import MLFLOW_WARNINGS
from tests.support.pyfunc_models import LOGISTIC, ROWS, code, load, no_advice, saved

pytestmark = MLFLOW_WARNINGS


class TestRefusals:
    @pytest.mark.parametrize("name", ["../outside", "/etc/outside", "model/../../outside", "model\\outside"])
    def test_no_file_is_written_outside_of_the_folder(
        self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        files = {MLMODEL: b"", name: b"x"}
        with pytest.raises(ReleaseRefused, match="outside of its folder"):
            load(files)
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
            load(files)
        assert list(tmp_path.iterdir()) == [], "what was written for a model that is refused stays behind"

    def test_code_that_raises_while_it_is_loaded(self) -> None:
        files = saved(code(LOGISTIC))
        name = next(name for name in files if name.endswith(".py"))
        files[name] = b"raise RuntimeError('not today')"
        with pytest.raises(ReleaseRefused, match=r"cannot be loaded here.*not today"):
            load(files)

    def test_functions_that_another_python_pickled(self) -> None:
        files = saved(local_model())
        assert load(files).predict(ROWS).shape == (3, 3)

        here = f"{sys.version_info.major}.{sys.version_info.minor}."
        files[MLMODEL] = files[MLMODEL].replace(f"python_version: {here}".encode(), b"python_version: 3.8.")
        with pytest.raises(ReleaseRefused, match=r"pickled by Python 3\.8"):
            load(files)

    def test_an_image_without_mlflow_says_how_to_get_one_with_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "mlflow.pyfunc", None)
        with pytest.raises(ReleaseRefused, match="ModelRuntime=pyfunc"):
            open_folder("it", tmp_path)

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            ("import os; os._exit(3)", "ended its process with status 3"),
            ("import ctypes; ctypes.string_at(0)", "ended its process by SIGSEGV"),
            ("raise SystemExit(4)", "ended its process with status 4"),
            ("import time; time.sleep(60)", "took more than 1 s"),
        ],
    )
    def test_code_that_does_not_survive_its_loading(
        self, body: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        files = saved(code(LOGISTIC))
        files[next(name for name in files if name.endswith(".py"))] = body.encode()
        with pytest.raises(ReleaseRefused, match=rf"cannot be loaded here: it {reason}"):
            load(files, seconds=1 if "sleep" in body else 60)
        assert list(tmp_path.iterdir()) == []

    def test_without_room_for_its_files_it_is_unavailable_and_not_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        with pytest.raises(ModelUnavailable, match="cannot be written"):
            load({MLMODEL: b"", "model/MLmodel/x": b"a file where a folder is needed"})
        assert list(tmp_path.iterdir()) == []

    def test_without_room_for_its_process_it_is_unavailable_and_not_refused(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "executable", "/not/there")
        with pytest.raises(ModelUnavailable, match="No process can be started"):
            load(saved(code(LOGISTIC)))


def local_model() -> Any:
    """Return a model whose class no module has, so that its code is in the pickle."""
    from mlflow.pyfunc import PythonModel

    with no_advice():

        class Local(PythonModel):
            def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
                return [[0.5, 0.3, 0.2]] * len(model_input)

    return Local()
