"""The Dockerfiles: what they copy is there and reaches the build, and what they start exists."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.support.template import ROOT

IMAGES = ("run_inference", "refresh_snapshot")
IGNORED = (ROOT / ".dockerignore").read_text().splitlines()
each_image = pytest.mark.parametrize("name", IMAGES)


def instructions(name: str, word: str) -> list[str]:
    text = (ROOT / "functions" / name / "Dockerfile").read_text().replace("\\\n", " ")
    return re.findall(rf"^{word}\s+(.+)$", text, re.MULTILINE)


def reaches_the_build(source: str) -> bool:
    """Return whether .dockerignore lets a path of the repository into the build's context."""
    return any(Path(source).is_relative_to(kept.removeprefix("!")) for kept in IGNORED if kept.startswith("!"))


@each_image
def test_an_image_starts_from_the_runtime_that_is_deployed(name: str) -> None:
    assert instructions(name, "FROM") == ["public.ecr.aws/lambda/python:3.13"]


@each_image
def test_an_image_copies_what_is_there_and_what_the_context_holds(name: str) -> None:
    sources = [source for line in instructions(name, "COPY") for source in shlex.split(line)[:-1]]
    assert sources
    for source in sources:
        assert list(ROOT.glob(source)), source
        assert reaches_the_build(source), f".dockerignore keeps {source} out"


@each_image
def test_an_image_installs_only_what_its_lock_names(name: str) -> None:
    [install] = [line for line in instructions(name, "RUN") if "pip install" in line]
    assert "--require-hashes" in install
    assert "--only-binary=:all:" in install
    assert f"functions/{name}/requirements.txt" in " ".join(instructions(name, "COPY"))


@pytest.mark.parametrize(
    ("runtime", "chosen"), [("onnx", "requirements.txt"), ("pyfunc", "requirements-pyfunc.txt"), ("other", None)]
)
@each_image
def test_the_build_argument_chooses_the_lock(name: str, runtime: str, chosen: str | None) -> None:
    # GIVEN the command that chooses the lock
    assert instructions(name, "ARG") == ["MODEL_RUNTIME=onnx"]
    [install] = [line for line in instructions(name, "RUN") if "pip install" in line]
    choice, _, rest = install.partition("&&")
    assert '--requirement "/tmp/${lock}"' in rest
    asked = {"MODEL_RUNTIME": runtime}
    # WHEN
    done = subprocess.run(["sh", "-c", f"{choice}; echo $lock"], env=asked, capture_output=True, text=True, check=False)
    # THEN
    assert (done.returncode, done.stdout.strip()) == ((0, chosen) if chosen else (1, ""))
    if chosen:
        assert any(f"functions/{name}/{chosen}" in line for line in instructions(name, "COPY"))


@each_image
def test_an_image_holds_bytecode_that_is_never_checked_again(name: str) -> None:
    *_, last = instructions(name, "RUN")
    assert "compileall" in last
    assert "--invalidation-mode unchecked-hash" in last


@each_image
def test_an_image_starts_its_own_handler(name: str) -> None:
    assert instructions(name, "CMD") == [f'["functions.{name}.handler.lambda_handler"]']
    handler = ROOT / "functions" / name / "handler.py"
    assert "def lambda_handler(" in handler.read_text()


def test_tools_and_data_stay_out_of_every_image() -> None:
    assert IGNORED[1] == "*"
    for path in ("infra", "tests", ".local", ".git", "template.yaml", "layers/vendor"):
        assert not reaches_the_build(path)
