"""What is installed is locked: by hash, from no named registry, and the same in tests as where it is deployed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from tests.support.template import ROOT

DEV = ROOT / "infra" / "requirements" / "dev.txt"
MUTANTS = DEV.with_name("mutants.txt")
IMAGES = ("functions/run_inference", "functions/refresh_snapshot")
LIGHT = [ROOT / folder / "requirements.txt" for folder in ("layers/vendor", "layers/arrow", *IMAGES)]
PYFUNC = [ROOT / folder / "requirements-pyfunc.txt" for folder in IMAGES]
DEPLOYED = [*LIGHT, *PYFUNC]
RUNTIME = {"python_version": "3.13", "python_full_version": "3.13.0", "sys_platform": "linux"}

LOCKS = [DEV, MUTANTS, *DEPLOYED]
each_lock = pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.relative_to(ROOT).as_posix())
each_deployed = pytest.mark.parametrize("lock", DEPLOYED, ids=lambda path: f"{path.parent.name}-{path.stem}")


def pins(lock: Path) -> Iterator[tuple[Requirement, list[str]]]:
    """Yield each requirement of a lock with its hashes."""
    for entry in lock.read_text().replace("\\\n", " ").splitlines():
        text, *hashes = entry.split("--hash=")
        yield Requirement(text.strip()), [item.strip() for item in hashes]


def declared(path: Path) -> dict[NormalizedName, Requirement]:
    """Return the ranges of a requirements.in, and of those that it includes."""
    found: dict[NormalizedName, Requirement] = {}
    for line in path.read_text().splitlines():
        if line.startswith("-r "):
            found |= declared(path.parent / line.removeprefix("-r ").strip())
        elif line and not line.startswith("#"):
            requirement = Requirement(line)
            found[canonicalize_name(requirement.name)] = requirement
    return found


@each_lock
def test_a_lock_pins_every_package_by_version_and_hash(lock: Path) -> None:
    entries = list(pins(lock))
    assert entries
    for requirement, hashes in entries:
        assert str(requirement.specifier).startswith("=="), requirement
        assert hashes, f"{requirement} has no hash"
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", item) for item in hashes)


@each_lock
def test_a_lock_names_no_registry(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    assert not re.search(r"^\s*(-i|--index-url|--extra-index-url|--find-links|-f)\b", text, re.MULTILINE)


@each_deployed
def test_what_is_deployed_is_what_the_tests_run_with(lock: Path) -> None:
    tested = {
        canonicalize_name(requirement.name): requirement.specifier
        for requirement, _ in pins(DEV)
        if requirement.marker is None or requirement.marker.evaluate(RUNTIME)
    }
    deployed = {canonicalize_name(requirement.name): requirement.specifier for requirement, _ in pins(lock)}
    assert {name: tested[name] for name in deployed} == deployed


@each_deployed
def test_a_lock_satisfies_the_ranges_next_to_it(lock: Path) -> None:
    locked = {canonicalize_name(item.name): str(item.specifier).removeprefix("==") for item, _ in pins(lock)}
    for name, requirement in declared(lock.with_suffix(".in")).items():
        assert requirement.specifier.contains(locked[name]), f"{lock}: run infra/lock.sh"


@each_deployed
def test_deployed_ranges_are_those_of_the_project(lock: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    # What only models need is a tool of the checkout.
    listed = project["dependencies"] + (project["optional-dependencies"]["tools"] if lock in PYFUNC else [])
    ranges = {canonicalize_name(item.name): item.specifier for item in map(Requirement, listed)}
    for name, requirement in declared(lock.with_suffix(".in")).items():
        assert requirement.specifier == ranges[name], f"{name} in {lock.with_suffix('.in')}"


def test_the_gate_locks_every_dependency_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["tools"], *extras["dev"]]
    names = {canonicalize_name(Requirement(item).name) for item in wanted} - {"matchcast"}
    assert names <= {canonicalize_name(requirement.name) for requirement, _ in pins(DEV)}


def test_mutants_are_tested_with_what_the_gate_tests_with() -> None:
    gate = {requirement.name: requirement.specifier for requirement, _ in pins(DEV)}

    differ = [requirement for requirement, _ in pins(MUTANTS) if gate.get(requirement.name) != requirement.specifier]

    assert {requirement.name for requirement in differ}.isdisjoint(gate)


def test_zip_functions_carry_no_model_runtime() -> None:
    zipped = {item.name for lock in DEPLOYED[:2] for item, _ in pins(lock)}
    assert zipped.isdisjoint({"onnxruntime", "pandas", "mlflow", "scikit-learn"})
    inference = {item.name for item, _ in pins(ROOT / "functions/run_inference/requirements.txt")}
    assert inference.isdisjoint({"pandas", "mlflow", "mlflow-skinny", "scikit-learn"})


@pytest.mark.parametrize(
    ("light", "full"), list(zip(LIGHT[2:], PYFUNC, strict=True)), ids=["run_inference", "refresh_snapshot"]
)
def test_an_image_for_pyfunc_adds_to_the_other_one_and_has_no_server(light: Path, full: Path) -> None:
    locked = {str(item) for item, _ in pins(full)}
    assert {str(item) for item, _ in pins(light)} < locked
    names = {Requirement(item).name for item in locked}
    assert names >= {"mlflow-skinny", "pandas", "scikit-learn", "skops", "lightgbm", "cloudpickle"}
    assert names.isdisjoint({"mlflow", "flask", "gunicorn", "alembic", "sqlalchemy"})
