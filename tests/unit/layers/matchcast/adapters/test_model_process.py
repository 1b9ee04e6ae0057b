"""A process of its own: what is asked is answered or given up, and nothing of it stays."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from matchcast.adapters.model_folder import ModelFolder
from matchcast.adapters.model_process import AwakeTime, ModelProcess, ProcessEnded, ProcessHung
from tests.support.template import ROOT

CORE = str(ROOT / "layers/core/python")
CHILD = """
import ctypes, json, os, signal, socket, struct, subprocess, sys, threading, time
sys.path += sys.argv[3:]
from matchcast.adapters.model_frames import receive, send
from matchcast.adapters.pyfunc_child import end_with
end_with(int(sys.argv[2]))
connection = socket.socket(fileno=int(sys.argv[1]))
while True:
    head, body = receive(connection)
    answer = dict(pid=os.getpid(), number=head['number'])
    exec(head["do"])
    send(connection, answer, body)
"""
"""A process that does what it is told."""
STARTS_ANOTHER = "answer['other'] = subprocess.Popen(['sleep', '100']).pid"
ANSWERS = "send(connection, answer);"
HOLDS_THE_INTERPRETER = "ctypes.PyDLL(None).sleep(100)"


@pytest.fixture
def child(tmp_path: Path) -> Iterator[ModelProcess]:
    (tmp_path / "child.py").write_text(CHILD)
    process = ModelProcess(str(tmp_path / "child.py"), ModelFolder("it", {}), [CORE])
    yield process
    process.end()


def is_gone(pid: int) -> bool:
    """Tell whether a process ends within seconds; one that nobody has waited for yet is over as well."""
    give_up = time.monotonic() + 10
    while time.monotonic() < give_up:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


class TestQuestions:
    def test_are_answered_one_after_the_other_whatever_is_printed(self, child: ModelProcess) -> None:
        large = os.urandom(3_000_000)
        assert child.ask({"do": "print('x' * 100_000); os.write(1, b'noise')"}, large, AwakeTime(30))[1] == large
        assert child.ask({"do": "answer['second'] = 'ä\\n'"}, b"", AwakeTime(30))[0]["second"] == "ä\n"

    @pytest.mark.parametrize(
        ("do", "how"),
        [
            ("os._exit(3)", "with status 3"),
            ("sys.exit()", "with status 0"),
            ("ctypes.string_at(0)", "by SIGSEGV"),
            ("os.kill(os.getpid(), signal.SIGKILL)", "by SIGKILL"),
            ("connection.sendall(b'\\0' * 3 + b'\\x02' + b'\\0' * 8 + b'{x')", "without an answer"),
            ("connection.sendall(b'\\0' * 3 + b'\\x02' + b'\\0' * 8 + b'[]')", "without an answer"),
            ("os.fork() or time.sleep(100); os._exit(5)", "with status 5"),
        ],
    )
    def test_a_process_that_ends_or_sends_nonsense_is_over(self, do: str, how: str, child: ModelProcess) -> None:
        pid = child.ask({"do": ""}, b"", AwakeTime(30))[0]["pid"]
        with pytest.raises(ProcessEnded, match=how):
            child.ask({"do": do}, b"", AwakeTime(30))
        assert not child.is_ready()
        assert is_gone(pid)

    @pytest.mark.parametrize("do", ["time.sleep(100)", HOLDS_THE_INTERPRETER, "signal.pause()"])
    def test_a_process_that_hangs_is_given_up_and_ended(self, do: str, child: ModelProcess) -> None:
        # GIVEN
        pid = child.ask({"do": ""}, b"", AwakeTime(30))[0]["pid"]
        started = time.monotonic()

        # WHEN
        with pytest.raises(ProcessHung):
            child.ask({"do": do}, b"", AwakeTime(0.5))

        # THEN
        assert 0.4 < time.monotonic() - started < 5
        assert not child.is_ready()
        assert is_gone(pid)

    def test_a_process_that_does_not_read_is_given_up_and_ended(self, child: ModelProcess) -> None:
        pid = child.ask({"do": "answer and send(connection, answer); time.sleep(100)"}, b"", AwakeTime(30))[0]["pid"]
        with pytest.raises(ProcessHung):
            child.ask({"do": ""}, bytes(5_000_000), AwakeTime(0.5))
        assert is_gone(pid)

    @pytest.mark.parametrize(
        "sends",
        [
            "b'words ' * 100_000",
            "struct.pack('>IQ', 2, 1 << 40) + b'{}'",
            "struct.pack('>IQ', 2, 70_000) + b'{}' + bytes(70_000)",
        ],
    )
    def test_what_is_longer_than_an_answer_can_be_is_not_read(self, sends: str, child: ModelProcess) -> None:
        with pytest.raises(ProcessEnded, match="without an answer to this call"):
            child.ask({"do": f"while True: connection.sendall({sends})"}, b"", AwakeTime(5))
        assert not child.is_ready()

    def test_an_answer_to_something_else_is_none(self, child: ModelProcess) -> None:
        with pytest.raises(ProcessEnded, match="without an answer to this call"):
            child.ask({"do": "answer['number'] -= 1"}, b"", AwakeTime(30))
        assert not child.is_ready()

    @pytest.mark.parametrize(
        "do",
        ["threading.Timer(0.1, send, [connection, answer]).start()", "threading.Timer(0.1, os._exit, [1]).start()"],
    )
    def test_a_process_that_speaks_or_ends_unasked_is_not_ready_and_ended(self, do: str, child: ModelProcess) -> None:
        pid = child.ask({"do": do}, b"", AwakeTime(30))[0]["pid"]
        assert child.is_ready()
        time.sleep(0.5)
        assert not child.is_ready()
        assert is_gone(pid)

    def test_a_process_that_ends_while_a_large_question_is_sent_is_noticed(self, child: ModelProcess) -> None:
        # GIVEN a process whose copy holds the connection open
        child.ask(
            {"do": "os.fork() or time.sleep(100); threading.Timer(0.5, os._exit, [5]).start()"}, b"", AwakeTime(30)
        )
        started = time.monotonic()
        # WHEN it is to read more than fits into the connection, but sleeps, and then ends
        child.ask({"do": f"{ANSWERS}time.sleep(100)"}, b"", AwakeTime(30))
        with pytest.raises(ProcessEnded, match="with status 5"):
            child.ask({"do": ""}, bytes(5_000_000), AwakeTime(30))
        # THEN
        assert time.monotonic() - started < 5

    def test_a_process_that_sends_a_byte_now_and_then_is_given_up(self, child: ModelProcess) -> None:
        with pytest.raises(ProcessHung):
            child.ask({"do": "[connection.send(b'0') and time.sleep(0.1) for _ in range(11)]"}, b"", AwakeTime(0.8))

    def test_time_in_which_this_process_was_frozen_does_not_count(self, tmp_path: Path) -> None:
        # GIVEN a process that freezes the one which asks it, for longer than that would wait
        (tmp_path / "child.py").write_text(CHILD)
        freeze = "os.kill(os.getppid(), signal.SIGSTOP); time.sleep(2.7); os.kill(os.getppid(), signal.SIGCONT)"
        # WHEN
        done = subprocess.run(
            [sys.executable, "-c", asking(tmp_path, freeze, seconds=2.5)], capture_output=True, text=True, check=False
        )
        # THEN
        assert done.stdout.startswith("answered"), done.stderr


class TestEnding:
    def test_comes_with_its_last_user_for_all_that_it_started(self, child: ModelProcess, tmp_path: Path) -> None:
        # GIVEN
        process = ModelProcess(str(tmp_path / "child.py"), ModelFolder("it", {}), [CORE])
        folder = process._folder.path
        answer, _ = process.ask({"do": STARTS_ANOTHER}, b"", AwakeTime(30))
        # WHEN
        del process
        gc.collect()
        # THEN
        assert is_gone(answer["pid"])
        assert is_gone(answer["other"])
        assert not folder.exists()
        assert child.ask({"do": ""}, b"", AwakeTime(30))[0]["pid"] != answer["pid"]

    @pytest.mark.parametrize("do", ["", "time.sleep(100)", HOLDS_THE_INTERPRETER])
    @pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM])
    def test_comes_with_the_process_that_asks(self, do: str, by: signal.Signals, tmp_path: Path) -> None:
        # GIVEN a process that asks another one, which has started a third
        (tmp_path / "child.py").write_text(CHILD)
        asks = subprocess.Popen(
            [sys.executable, "-c", asking(tmp_path, f"{STARTS_ANOTHER};{do and ANSWERS + do}", seconds=99)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert asks.stdout is not None
        _, pid, other = asks.stdout.readline().split()
        assert Path(f"/proc/{pid}").exists()
        # WHEN it ends, with no time to clean up
        asks.send_signal(by)
        asks.wait()
        asks.stdout.close()
        # THEN
        assert is_gone(int(pid))
        assert is_gone(int(other))

    def test_of_an_interpreter_that_starts_as_its_parent_ends(self) -> None:
        code = "import os; from matchcast.adapters.pyfunc_child import end_with\n"
        code += "ours, theirs = os.pipe(); os.close(theirs); end_with(ours); print('still here')"
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False, start_new_session=True
        )
        assert done.returncode != 0
        assert done.stdout == ""


class TestEnvironment:
    def test_holds_neither_credentials_nor_the_registry_and_keeps_telemetry_off(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # GIVEN
        (tmp_path / "child.py").write_text(CHILD)
        for name in ("AWS_SECRET_ACCESS_KEY", "AWS_LAMBDA_RUNTIME_API", "MLFLOW_TRACKING_PASSWORD", "OWN_SETTING"):
            monkeypatch.setenv(name, "x")
        process = ModelProcess(str(tmp_path / "child.py"), ModelFolder("it", {}), [CORE])
        # WHEN
        found, _ = process.ask({"do": "answer |= os.environ; answer['folder'] = os.getcwd()"}, b"", AwakeTime(30))
        # THEN
        assert [name for name in found if name.startswith(("AWS_", "MLFLOW_TRACKING"))] == []
        assert (found["OWN_SETTING"], found["MLFLOW_DISABLE_TELEMETRY"], found["DO_NOT_TRACK"]) == ("x", "true", "1")
        assert found["folder"] == str(process._folder.path)
        process.end()


def asking(folder: Path, do: str, seconds: float) -> str:
    """Return a program that asks a process, prints `answered` and two process ids, and goes on asking."""
    return f"""
import sys; sys.path += {[CORE, str(ROOT)]}
from matchcast.adapters.model_folder import ModelFolder
from matchcast.adapters.model_process import AwakeTime, ModelProcess
process = ModelProcess({str(folder / "child.py")!r}, ModelFolder("it", {{}}), sys.path)
answer, _ = process.ask({{"do": {do!r}}}, b"", AwakeTime({seconds}))
print("answered", answer["pid"], answer.get("other"), flush=True)
if {seconds} > 10:
    process.ask({{"do": ""}}, b"", AwakeTime({seconds}))
    __import__("time").sleep(99)
"""
