"""The sample league on its way into a stack."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from matchcast_tools.errors import EnvironmentProblem
from matchcast_tools.laptop import sample_load as sample
from matchcast_tools.laptop.sample_load import MADE_BY, SampleFolder, SampleLoad, begin_sample, digest_of
from matchcast_tools.stack.deployed import Stack

STACK = Stack("matchcast", "us-east-1", "http://127.0.0.1:4711", "host", {"DataBucketName": "data"}, session=None)  # type: ignore[arg-type]


@pytest.fixture
def snapshots(monkeypatch: pytest.MonkeyPatch) -> list[Stack]:
    """Return the stacks that were asked for a snapshot."""
    asked: list[Stack] = []
    monkeypatch.setattr(sample, "invoke_refresh", asked.append)
    return asked


def process(code: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def test_the_process_is_told_the_stack_and_its_steps_are_passed_on(tmp_path: Path, snapshots: list[Stack]) -> None:
    steps: list[str] = []
    code = "import json; s = json.loads(input()); print('noise'); print('>', s['port'], s['outputs']['DataBucketName'])"
    load = SampleLoad(SampleFolder(tmp_path), process(code))

    load.finish(STACK, steps.append)

    assert steps == ["training on the sample league", "4711 data", "making the snapshot"]
    assert snapshots == [STACK]


@pytest.mark.parametrize("code", ["input(); raise SystemExit('no matches')", "raise SystemExit('no matches')"])
def test_a_process_that_fails_early_or_late_fails_the_start_with_its_last_words(
    tmp_path: Path, snapshots: list[Stack], code: str
) -> None:
    load = SampleLoad(SampleFolder(tmp_path), process(code))

    with pytest.raises(EnvironmentProblem, match=r"(?s)no matches.*--no-sample"):
        load.finish(STACK, lambda _: None)

    assert snapshots == []


def test_a_process_that_is_stopped_has_ended(tmp_path: Path) -> None:
    running = process("input()")

    SampleLoad(SampleFolder(tmp_path), running).stop()

    assert running.poll() is not None


def test_manifests_are_put_last(tmp_path: Path) -> None:
    # GIVEN
    folder = SampleFolder(tmp_path)
    for key in ("models/manifest.json", "models/a/model.onnx", "datasets/manifest.json", "datasets/1/odds.parquet"):
        path = folder.objects / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(key.encode())

    # WHEN
    keys = [key for key, body in folder.published() if body == key.encode()]

    # THEN
    assert len(keys) == 4
    assert set(keys[2:]) == {"models/manifest.json", "datasets/manifest.json"}


def test_a_sample_made_by_the_same_code_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = SampleFolder(tmp_path / "sample")
    folder.root.mkdir()
    folder.digest.write_text(digest_of(MADE_BY, sys.path))
    monkeypatch.setattr(subprocess, "Popen", None)

    begin_sample(tmp_path).stop()

    assert folder.digest.exists()


@pytest.mark.parametrize("leftover", ["another digest", None])
def test_a_sample_of_other_code_or_half_a_sample_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leftover: str | None
) -> None:
    # GIVEN a folder with the digest of other code, or without one
    folder = SampleFolder(tmp_path / "elsewhere")
    folder.objects.mkdir(parents=True)
    if leftover:
        folder.digest.write_text(leftover)
    monkeypatch.setenv(sample.SAMPLE_VARIABLE, str(folder.root))

    # WHEN
    begin_sample(tmp_path).stop()

    # THEN what the folder held is removed first
    assert not folder.objects.exists()


def test_the_digest_changes_with_the_code_and_the_libraries(tmp_path: Path) -> None:
    # GIVEN a copy of the two packages, and a folder with an installed library
    copies = [shutil.copytree(package, tmp_path / package.name) for package in MADE_BY]
    libraries = tmp_path / "site-packages"
    (libraries / "thing-1.0.dist-info").mkdir(parents=True)
    digests = {digest_of(MADE_BY, [str(libraries)]), digest_of(copies, [str(libraries)])}
    assert len(digests) == 1

    # WHEN one of them changes
    for copy in copies:
        (copy / "__init__.py").write_text("# changed\n")
        digests.add(digest_of(copies, [str(libraries)]))
    (libraries / "thing-1.0.dist-info").rename(libraries / "thing-1.1.dist-info")
    digests.add(digest_of(copies, [str(libraries)]))

    # THEN every change has another digest
    assert len(digests) == 4
