"""The Dockerfiles: what they copy is there and reaches the build, and what they start exists."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from matchcast import TELEMETRY_OFF
from tests.support.template import ROOT

IMAGES = ("run_inference", "refresh_snapshot")
IGNORED = (ROOT / ".dockerignore").read_text().splitlines()
BASE = r"public\.ecr\.aws/lambda/python:3\.13(\.\d{4}(\.\d{2}){3})?@sha256:[0-9a-f]{64}"
each_image = pytest.mark.parametrize("name", IMAGES)


def instructions(name: str, word: str) -> list[str]:
    text = (ROOT / "functions" / name / "Dockerfile").read_text().replace("\\\n", " ")
    return re.findall(rf"^{word}\s+(.+)$", text, re.MULTILINE)


def reaches_the_build(source: str) -> bool:
    """Return whether .dockerignore lets a path of the repository into the build's context."""
    return any(Path(source).is_relative_to(kept.removeprefix("!")) for kept in IGNORED if kept.startswith("!"))


@each_image
def test_an_image_starts_from_one_build_of_the_runtime_that_is_deployed(name: str) -> None:
    [base] = instructions(name, "FROM")
    assert re.fullmatch(BASE, base)
    assert [base] == instructions(IMAGES[0], "FROM")


@pytest.mark.parametrize(("tag", "answer"), [("3.13", f"sha256:{'a' * 64}"), ("3.13.2026.01.02.03", "none")])
def test_a_command_moves_the_base_of_both_images(tag: str, answer: str, tmp_path: Path) -> None:
    # GIVEN a copy of the Dockerfiles, and a registry that gives this answer
    for name in IMAGES:
        (tmp_path / "functions" / name).mkdir(parents=True)
        shutil.copy(ROOT / "functions" / name / "Dockerfile", tmp_path / "functions" / name)
    (tmp_path / "infra").mkdir()
    script = shutil.copy(ROOT / "infra" / "base-image.sh", tmp_path / "infra")
    (tmp_path / "docker").write_text(f"#!/bin/sh\necho {answer}\n")
    (tmp_path / "docker").chmod(0o755)
    before = [(tmp_path / "functions" / name / "Dockerfile").read_text() for name in IMAGES]
    # WHEN
    path = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["bash", script, tag], env=path, capture_output=True, text=True, check=False)
    # THEN both begin with what it answered, or are as they were
    after = [(tmp_path / "functions" / name / "Dockerfile").read_text() for name in IMAGES]
    if answer == "none":
        assert (done.returncode, after) == (1, before)
    else:
        moved = [re.sub(r"(?m)^FROM ([^:]+):.*$", rf"FROM \1:{tag}@{answer}", text) for text in before]
        assert (done.returncode, after) == (0, moved)
        assert after != before
    assert not list(tmp_path.rglob("*.before"))


@each_image
def test_no_library_of_an_image_reports_to_its_maker(name: str) -> None:
    [switches] = instructions(name, "ENV")
    assert set(shlex.split(switches)) == {f"{switch}={value}" for switch, value in TELEMETRY_OFF.items()}


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
