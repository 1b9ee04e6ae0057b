"""What `make build` made: zips of their own function only, small enough, compiled, and importable from their layers."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.template import ROOT, load

BUILD = ROOT / ".aws-sam" / "build"
ZIP_FUNCTIONS = {
    name.removesuffix("Function"): item["Properties"]["CodeUri"].strip("/").rpartition("/")[2]
    for name, item in load()["Resources"].items()
    if "CodeUri" in item.get("Properties", {})
}
ALLOWED_MB = 250
# Flags of a .pyc: bit 0, it is checked by hash; bit 1, it is compared with its source.
UNCHECKED_HASH = 1
PARQUET = """
import io
import pyarrow as pa, pyarrow.parquet as pq
regions = pa.array(["x", "y", "x"]).dictionary_encode()
table = pa.table({"match_id": ["a", "b", "c"], "region": regions, "home": [0.1, 0.5, 0.9]})
body = io.BytesIO()
pq.write_table(table, body, compression="zstd")
assert pq.read_table(body).equals(table)
assert pq.read_table(body, filters=[("region", "=", "x"), ("home", ">", 0.5)])["match_id"].to_pylist() == ["c"]
"""


if not (BUILD / "CoreLayer").is_dir():
    pytest.skip("nothing is built; `make build` needs the SAM CLI and Docker", allow_module_level=True)


def layers(template: dict[str, Any], name: str) -> list[Path]:
    references = template["Resources"][f"{name}Function"]["Properties"]["Layers"]
    return [BUILD / reference["Ref"] for reference in references]


def run_isolated(code: str, folders: list[Path]) -> None:
    """Run code under Python 3.13 that finds nothing but what the folders hold (-P: not this checkout either)."""
    python = shutil.which("python3.13")
    if python is None:
        pytest.skip("there is no python3.13, the version of the runtime")
    environment = {
        "PYTHONPATH": os.pathsep.join(map(str, folders)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "POWERTOOLS_SERVICE_NAME": "test",
    }
    done = subprocess.run(
        [python, "-P", "-S", "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ZIP_FUNCTIONS)
def test_a_zip_holds_its_own_function_and_no_other(name: str) -> None:
    content = {path.name for path in (BUILD / f"{name}Function" / "functions").iterdir() if path.is_dir()}
    assert content - {"__pycache__"} == {ZIP_FUNCTIONS[name]}
    assert {path.name for path in (BUILD / f"{name}Function").iterdir()} == {"functions"}


@pytest.mark.parametrize("name", ZIP_FUNCTIONS)
def test_a_function_with_its_layers_is_small_enough(name: str, template: dict[str, Any]) -> None:
    folders = [BUILD / f"{name}Function", *layers(template, name)]
    size = sum(path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file())
    assert size < ALLOWED_MB * 1_000_000


@pytest.mark.parametrize("name", ZIP_FUNCTIONS)
def test_a_function_imports_from_its_zip_and_layers_alone(name: str, template: dict[str, Any]) -> None:
    folders = [BUILD / f"{name}Function", *(layer / "python" for layer in layers(template, name))]
    run_isolated(f"from functions.{ZIP_FUNCTIONS[name]}.handler import lambda_handler", folders)


def test_the_slim_arrow_layer_writes_reads_and_filters_parquet() -> None:
    run_isolated(PARQUET, [BUILD / "ArrowLayer" / "python"])


def test_everything_is_compiled_and_never_compared_with_its_source() -> None:
    sources = [path for path in BUILD.rglob("*.py") if path.stat().st_size]
    compiled = {path: path.parent / "__pycache__" / f"{path.stem}.cpython-313.pyc" for path in sources}
    assert [str(path) for path, bytecode in compiled.items() if not bytecode.is_file()] == []
    flags = {int.from_bytes(bytecode.read_bytes()[4:8], "little") for bytecode in compiled.values()}
    assert flags == {UNCHECKED_HASH}


def test_the_built_template_deploys_the_compiled_package() -> None:
    assert "ContentUri: CoreLayer\n" in (BUILD / "template.yaml").read_text()
    assert (BUILD / "CoreLayer" / "python" / "matchcast" / "__init__.py").is_file()
