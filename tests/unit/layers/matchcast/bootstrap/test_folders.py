"""Local folders of batches: what an invocation left is removed, what another process uses stays."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from matchcast.bootstrap.folders import temporary_folder

if TYPE_CHECKING:
    import pytest


def test_what_was_left_is_removed_and_what_another_process_uses_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN folders of an earlier invocation, of a process that has ended, of one that runs, and of somebody else
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    names = {
        "mine": f"matchcast-batch-{os.getpid()}-a",
        "ended": f"matchcast-batch-{ended.pid}-b",
        "runs": f"matchcast-batch-{os.getppid()}-c",
        "other": "something-else",
    }
    for name in names.values():
        (tmp_path / name).mkdir()
        (tmp_path / name / "input").write_text("x")
    # WHEN
    with temporary_folder() as folder:
        present = {path.name for path in tmp_path.iterdir()}
    # THEN
    assert present == {names["runs"], names["other"], folder.name}
    assert not folder.exists()
