"""What is deployed: images and zips hold exactly what their handlers can import, and their locks what that imports."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from matchcast_tools.laptop.package import function_files, image_files
from tests.support.template import ROOT, load

CORE = Path("layers/core/python")
FUNCTIONS = {
    resource["Properties"]["FunctionName"]["Fn::Sub"].removeprefix("${AWS::StackName}-"): resource
    for resource in load()["Resources"].values()
    if resource["Type"] == "AWS::Serverless::Function"
}
LOCKS = {"VendorLayer": "layers/vendor", "ArrowLayer": "layers/arrow"}
"""The layers of libraries; CoreLayer is the package itself."""
PYFUNC = "matchcast.adapters.pyfunc_"
"""Modules that are imported only in images built with MODEL_RUNTIME=pyfunc."""


def names(images: bool) -> list[str]:
    return sorted(
        name for name, resource in FUNCTIONS.items() if (resource["Properties"].get("PackageType") == "Image") == images
    )


each_image = pytest.mark.parametrize("name", names(images=True))
each_zip = pytest.mark.parametrize("name", names(images=False))
each_function = pytest.mark.parametrize("name", names(images=True) + names(images=False))


def source(module: str) -> Path | None:
    """Return the file of a module of the product, from the repository's root."""
    if module.partition(".")[0] not in ("matchcast", "functions"):
        return None
    base = (CORE if module.startswith("matchcast") else Path()) / Path(*module.split("."))
    files = (base / "__init__.py", base.with_suffix(".py"))
    return next((file for file in files if (ROOT / file).is_file()), None)


@functools.cache
def imported(file: Path) -> frozenset[str]:
    """Return every name that a file imports, in functions too, but not for type checkers alone."""

    def walk(node: ast.AST) -> Iterator[str]:
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                return
            case ast.Import():
                yield from (each.name for each in node.names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module
                yield from (f"{module}.{each.name}" for each in node.names if source(module))
            case ast.ImportFrom():
                raise AssertionError(f"{file} imports relatively.")
        for child in ast.iter_child_nodes(node):
            yield from walk(child)

    return frozenset(walk(ast.parse((ROOT / file).read_text())))


@functools.cache
def closure(name: str) -> dict[str, Path]:
    """Return the modules of the product that a function's handler can import, packages included."""
    found: dict[str, Path] = {}
    waiting = [f"functions.{name}.handler"]
    while waiting:
        parts = waiting.pop().split(".")
        for length in range(1, len(parts) + 1):
            module = ".".join(parts[:length])
            file = source(module)
            if module not in found and file is not None:
                found[module] = file
                waiting += imported(file)
    return found


def dockerfile(name: str) -> str:
    return str(FUNCTIONS[name]["Metadata"]["Dockerfile"])


def image(name: str) -> dict[str, bytes]:
    return image_files(ROOT, ".", dockerfile(name))


def image_closure(name: str) -> dict[str, Path]:
    """Return the modules that the handlers of all functions of an image can import."""
    sharing = [each for each in names(images=True) if dockerfile(each) == dockerfile(name)]
    return {module: file for each in sharing for module, file in closure(each).items()}


def locked(*files: str) -> set[str]:
    """Return the distributions that lock files name."""
    texts = ((ROOT / file).read_text() for file in files)
    return {normalised(name) for text in texts for name in re.findall(r"^([A-Za-z0-9._-]+)==", text, re.MULTILINE)}


def normalised(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def locks(name: str, module: str) -> list[str]:
    """Return the lock files of what a module of a function may import."""
    if name in names(images=True):
        folder = Path(dockerfile(name)).parent.as_posix()
        return [f"{folder}/requirements{'-pyfunc' if module.startswith(PYFUNC) else ''}.txt"]
    layers = {layer["Ref"] for layer in FUNCTIONS[name]["Properties"]["Layers"]}
    assert "CoreLayer" in layers
    return [f"{LOCKS[layer]}/requirements.txt" for layer in layers - {"CoreLayer"}]


@each_image
def test_an_image_gets_code_by_copies_into_the_task_root_alone(name: str) -> None:
    text = (ROOT / dockerfile(name)).read_text().replace("\\\n", " ")
    targets = {line.split()[-1] for line in re.findall(r"^COPY .+$", text, re.MULTILINE)}
    assert re.findall(r"^ADD ", text, re.MULTILINE) == []
    assert all(target == "/tmp/" or target.startswith("${LAMBDA_TASK_ROOT}/") for target in targets)


@each_image
def test_the_folder_of_an_image_function_holds_no_other_module(name: str) -> None:
    present = {str(file.relative_to(ROOT)) for file in (ROOT / "functions" / name).rglob("*.py")}
    assert present == {str(file) for module, file in closure(name).items() if module.startswith("functions.")} - {
        "functions/__init__.py"
    }


def test_functions_and_layers_hold_what_is_deployed_and_nothing_else() -> None:
    assert {path.name for path in (ROOT / CORE).iterdir() if path.suffix != ".pyc"} - {"__pycache__"} == {"matchcast"}
    folders = {path.name for path in (ROOT / "functions").iterdir() if path.is_dir()} - {"__pycache__"}
    assert folders == set(FUNCTIONS)
    libraries = [path for layer in LOCKS.values() for path in (ROOT / layer).rglob("*.py")]
    assert libraries == []


def test_no_import_hides_from_these_tests() -> None:
    files = [*(ROOT / "functions").rglob("*.py"), *(ROOT / CORE).rglob("*.py")]
    hidden = re.compile(r"import_module|__import__|importlib|\bexec\(|\beval\(")
    assert [str(file) for file in files if hidden.search(file.read_text())] == []


def test_every_room_is_kept_from_aws_libraries() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [kept] = [
        each for each in contracts if "boto3" in each["forbidden_modules" if "forbidden_modules" in each else "name"]
    ]
    rooms = {path.stem for path in (ROOT / CORE / "matchcast").iterdir() if not path.name.startswith("__")}
    free = {"adapters", "bootstrap", "http", "observability", "settings", "errors"}
    assert {module.removeprefix("matchcast.") for module in kept["source_modules"]} == rooms - free


@each_image
def test_an_image_holds_exactly_what_its_handlers_can_import(name: str) -> None:
    expected = {file.relative_to(CORE if file.is_relative_to(CORE) else ".") for file in image_closure(name).values()}
    assert sorted(image(name)) == sorted(map(str, expected))


@each_zip
def test_a_zip_holds_exactly_the_modules_of_its_folder_that_its_handler_can_import(name: str) -> None:
    held = {file for file in function_files(ROOT, f"functions/{name}/") if file.endswith(".py")}
    assert held == {str(file) for module, file in closure(name).items() if module.startswith("functions")}


@each_function
def test_what_a_function_imports_is_in_its_locks(name: str) -> None:
    distributions = packages_distributions()
    for module, file in closure(name).items():
        there = locked(*locks(name, module))
        others = {each.partition(".")[0] for each in imported(file) if source(each.partition(".")[0]) is None}
        for other in others - sys.stdlib_module_names:
            assert there & set(map(normalised, distributions[other])), f"{module} imports {other}"


@each_image
def test_every_module_of_an_image_can_be_imported_from_the_image_alone(name: str, tmp_path: Path) -> None:
    # GIVEN the image's code and the libraries, and nothing else of the repository
    for file, body in image(name).items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes(body)
    # WHEN all of it is imported; without `site`, so that no checkout is on the path
    # pyarrow looks for pandas, so this environment's is hidden from an image without it
    with_pandas = "pandas" in locked(*locks(name, ""))
    code = f"""
import importlib, sys
class NoPandas:
    def find_spec(self, name, path=None, target=None):
        if name == "pandas" and not {with_pandas}:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, NoPandas())
sys.path += [{str(tmp_path)!r}, {sysconfig.get_path("purelib")!r}]
for module in {sorted(closure(name))}:
    importlib.import_module(module)
ours = [module for name, module in sys.modules.items() if name.partition(".")[0] in ("matchcast", "functions")]
assert all(module.__file__.startswith({str(tmp_path)!r}) for module in ours)
print(*sorted({{name.partition(".")[0] for name in sys.modules}}))
"""
    done = subprocess.run([sys.executable, "-ISc", code], capture_output=True, text=True, check=False)
    # THEN it works, without a library that the image lacks
    assert done.stderr == ""
    loaded = set(done.stdout.split())
    assert (
        not {"matchcast_tools", "mlflow", "sklearn", "skl2onnx", "onnx", "typer", "rich", "localstack_client"} & loaded
    )
    assert ("pandas" in loaded) == with_pandas
