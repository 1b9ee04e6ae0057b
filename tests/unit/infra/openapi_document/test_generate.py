"""The generator of the OpenAPI document: the same text each time, and names that it refuses."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from pydantic import BaseModel, create_model

from matchcast.http.api import Api
from matchcast.http.contract import READ, answers
from openapi_document import generate as openapi
from tests.support.template import ROOT


def test_the_committed_document_is_what_the_routes_say() -> None:
    assert openapi.DOCUMENT.read_text() == openapi.render(openapi.make_document()), (
        "The routes and their document differ: run `python -m openapi_document.generate`."
    )


def test_the_document_does_not_depend_on_the_order_of_sets() -> None:
    code = "from openapi_document import generate; print(generate.render(generate.make_document()), end='')"
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "PYTHONPATH": os.pathsep.join(sys.path)}
    made = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, check=True)
    assert made.stdout.decode() == openapi.DOCUMENT.read_text()


def test_the_document_under_infra_is_the_one_that_ships() -> None:
    link = ROOT / "infra" / "openapi.json"
    assert link.is_symlink()
    assert link.resolve() == openapi.DOCUMENT.resolve()


def an_api(name: str, model: type[BaseModel]) -> Api:
    api = Api()

    def route() -> dict[str, str]:
        """Return something."""
        return {}

    route.__name__ = name
    api.get(f"/{name}", security=READ, responses=answers(200, model=model))(route)
    return api


def test_two_models_of_one_name_are_refused() -> None:
    one, other = create_model("Thing", a=(int, ...)), create_model("Thing", b=(int, ...))
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    openapi.add_api(paths, schemas, "one", an_api("first", one))
    with pytest.raises(ValueError, match="called Thing"):
        openapi.add_api(paths, schemas, "two", an_api("second", other))


def test_two_operations_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    model = create_model("Thing", a=(int, ...))
    first, second = an_api("same", model), Api()
    second.post("/other", responses=answers(200, model=model))(first.routes[0].func)
    monkeypatch.setattr(openapi, "find_apis", lambda: [("predict_now", first), ("track_tasks", second)])
    with pytest.raises(ValueError, match="called same"):
        openapi.make_document()


def test_functions_without_routes_are_left_out() -> None:
    assert "run_inference" not in {folder for folder, _ in openapi.find_apis()}
