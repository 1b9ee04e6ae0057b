"""What the process of a pyfunc model answers: its first frame names the model, each of the others holds rows."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from matchcast.adapters.model_frames import receive, send
from matchcast.adapters.pyfunc_child import serve
from matchcast.domain.signature import Signature
from tests.support.mlflow_warnings import MLFLOW_WARNINGS
from tests.support.pyfunc_models import COLUMNS, LOGISTIC, ROWS, code, saved

pytestmark = MLFLOW_WARNINGS


@pytest.fixture
def connection() -> Iterator[socket.socket]:
    """A connection to a thread that serves as the process does."""
    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=serve, args=[theirs])
    thread.start()
    with ours, theirs:
        yield ours
        ours.shutdown(socket.SHUT_RDWR)
        thread.join(30)
    assert not thread.is_alive()


def ask(connection: socket.socket, head: dict[str, Any], body: bytes = b"") -> tuple[dict[str, Any], bytes]:
    send(connection, {**head, "number": 7}, body)
    answer, found = receive(connection)
    assert answer.pop("number") == 7
    return answer, found


def of(folder: Path, body: str) -> dict[str, Any]:
    """Return the first frame for a model that is written into a folder."""
    for name, content in saved(code(body)).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    signature = Signature(inputs=COLUMNS).model_dump(mode="json")
    return {"what": "it", "folder": str(folder / "model"), "signature": signature}


class TestAnswers:
    def test_are_probabilities_once_the_model_is_loaded(self, connection: socket.socket, tmp_path: Path) -> None:
        assert ask(connection, of(tmp_path, LOGISTIC)) == ({}, b"")
        for rows in (ROWS, ROWS[:0]):
            head, body = ask(connection, {"shape": rows.shape}, rows.tobytes())
            assert head == {}
            np.testing.assert_allclose(np.frombuffer(body).reshape(-1, 3).sum(axis=1), 1)

    def test_name_what_failed_and_leave_its_trace_in_the_log(
        self, connection: socket.socket, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        # GIVEN
        assert ask(connection, of(tmp_path, "raise KeyError('elo ' + 'x' * 9999)"))[0] == {}
        # WHEN
        head, body = ask(connection, {"shape": ROWS.shape}, ROWS.tobytes())
        # THEN
        assert (head["code"], body) == ("model-failed", b"")
        assert "KeyError: 'elo xxx" in head["detail"]
        assert len(head["detail"]) == 2000
        assert "raise KeyError" in capfd.readouterr().err

    def test_say_why_a_model_cannot_be_loaded(self, connection: socket.socket, tmp_path: Path) -> None:
        head, _ = ask(connection, {**of(tmp_path, LOGISTIC), "folder": str(tmp_path)})
        assert head["code"] == "release-refused"
        assert "cannot be loaded here" in head["detail"]

    def test_call_what_nobody_foresaw_a_failure_of_the_model(self, connection: socket.socket, tmp_path: Path) -> None:
        ask(connection, of(tmp_path, LOGISTIC))
        head, _ = ask(connection, {"shape": [7, 7]}, ROWS.tobytes())
        assert head["code"] == "model-failed"
        assert "ValueError" in head["detail"]
