"""The commands of batches, on a small server that answers like the API and the storage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from matchcast_tools.cli import batch
from matchcast_tools.cli.main import explanation
from matchcast_tools.errors import exit_code
from matchcast_tools.stack.api_client import ApiClient
from tests.support.batch_service import ROWS, BatchService, serving

SLEEP = "matchcast_tools.stack.batches.time.sleep"
Run = Callable[..., Result]


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[BatchService]:
    nowhere: Any = None
    monkeypatch.setattr(batch, "find_stack", lambda: nowhere)
    monkeypatch.setattr(SLEEP, lambda _: None)
    with serving(BatchService()) as service:
        monkeypatch.setattr(ApiClient, "of", classmethod(lambda cls, _: cls(service.url, None, "t", lambda: "renewed")))
        yield service


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "rows.csv"
    path.write_bytes(ROWS)
    return path


@pytest.fixture
def run() -> Run:
    """Run a command; what an error makes of the exit code is that of `main`."""
    app = typer.Typer()
    batch.register(app)

    def invoke(*arguments: Any, stdin: str | None = None) -> Result:
        done = CliRunner().invoke(app, ["batch", *map(str, arguments)], input=stdin)
        error = done.exception
        if isinstance(error, Exception) and not isinstance(error, SystemExit):
            explained = explanation(error)
            assert explained is not None, error
            done.exit_code, done.stderr_bytes = exit_code(explained), str(explained.detail).encode()
        return done

    # A group of one command would take no name.
    app.command("other")(lambda: None)
    return invoke
