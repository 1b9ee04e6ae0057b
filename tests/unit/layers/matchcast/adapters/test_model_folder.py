"""The folder of a model: complete whenever it is needed, and gone with the process that made it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from matchcast.adapters.model_folder import ModelFolder
from tests.support.template import ROOT

FILES = {"a": b"1", "b/c": b"2" * 100_000}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def made_long_ago(path: Path) -> None:
    os.utime(path, (time.time() - 600,) * 2)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("removed", ["", "a", "b"])
def test_what_was_removed_is_written_again_each_time(removed: str, place: Path) -> None:
    folder = ModelFolder("it", FILES)
    for _ in range(2):
        subprocess.run(["rm", "-r", folder.path / removed], check=True)
        folder.restore()
        assert {name: (folder.path / name).read_bytes() for name in FILES} == FILES
        assert folder.path.stat().st_mode & 0o777 == 0o700
    folder.remove()
    assert list(place.iterdir()) == []


def test_no_descriptor_is_left_by_a_restored_folder_nor_held_for_a_small_file(place: Path) -> None:
    # GIVEN
    before = descriptors()
    folder = ModelFolder("it", {**FILES, **{f"module_{number}.py": b"pass" for number in range(50)}})
    held = descriptors()
    assert held == before + 2, "its lock, and its large file"
    # WHEN
    for _ in range(3):
        subprocess.run(["rm", "-r", folder.path], check=True)
        folder.restore()
    # THEN
    assert descriptors() == held
    folder.remove()
    assert descriptors() == before


def test_a_folder_of_a_process_that_was_killed_is_removed_by_the_next_one(place: Path) -> None:
    # GIVEN the folder of a process that was killed, one that is in use, one restored, a fresh one, and a foreign one
    code = "import os; from matchcast.adapters.model_folder import ModelFolder; f = ModelFolder('it', {'a': b''})\n"
    code += "print(f.path, flush=True); os.kill(os.getpid(), 9)"
    environment = {**os.environ, "TMPDIR": str(place), "PYTHONPATH": str(ROOT / "layers/core/python")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    used, restored = ModelFolder("it", FILES), ModelFolder("it", FILES)
    subprocess.run(["rm", "-r", restored.path], check=True)
    restored.restore()
    fresh, foreign = place / "matchcast-model-fresh", place / "model-of-somebody"
    for path in (fresh, foreign):
        path.mkdir()
    left = Path(done.stdout.strip())
    assert left.exists()
    for path in (left, used.path, restored.path, foreign):
        made_long_ago(path)

    # WHEN
    new = ModelFolder("it", FILES)

    # THEN
    assert set(place.iterdir()) == {used.path, restored.path, fresh, foreign, new.path}


def test_an_old_folder_of_another_user_is_left(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    old = place / "matchcast-model-old"
    old.mkdir()
    made_long_ago(old)
    owner = old.stat().st_uid
    # WHEN
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    ModelFolder("it", FILES).remove()
    # THEN
    assert old.exists()
