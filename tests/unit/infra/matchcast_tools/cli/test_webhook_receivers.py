"""`matchcast webhook listen` and `test`, over loopback."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import typer
from typer.testing import CliRunner, Result

from matchcast.webhooks.signing import new_secret, show_secret
from matchcast_tools.cli import webhook
from matchcast_tools.cli.main import explanation
from matchcast_tools.errors import exit_code
from matchcast_tools.receiver.listen import listening
from matchcast_tools.receiver.trial_event import try_receiver
from tests.conformance.flawed import sender_with
from tests.conformance.job import Job
from tests.conformance.receiver import Reply, receiver

pytestmark = pytest.mark.enable_socket
VALUE = new_secret()
SECRET = show_secret(VALUE)


def run(*words: str) -> Result:
    """Run a command; what an error makes of the exit code is that of `main`."""
    app = typer.Typer()
    webhook.register(app)
    app.command("other")(lambda: None)
    done = CliRunner().invoke(app, ["webhook", *words])
    error = done.exception
    if isinstance(error, Exception) and not isinstance(error, SystemExit):
        explained = explanation(error)
        assert explained is not None, error
        done.exit_code, done.stderr_bytes = exit_code(explained), explained.detail.encode()
    return done


@contextmanager
def listen(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `matchcast webhook listen`; yield its process and its address."""
    words = [sys.executable, "-m", "matchcast_tools", "webhook", "listen", "--port", "0", *options]
    environment = os.environ | {webhook.SECRET_VARIABLE: SECRET}
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        said = process.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+/", said)
        assert found is not None, said
        yield process, found[0]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def test_it_prints_what_comes_verified_or_not_until_ctrl_c() -> None:
    # GIVEN
    with listen("--json") as (process, url):
        assert process.stdout is not None
        # WHEN a genuine event comes twice, and one that is signed wrongly
        sender_with("")(Job(url, (SECRET,)))
        trials = [try_receiver(url, VALUE), try_receiver(url, new_secret())]
        lines = [json.loads(process.stdout.readline()) for _ in range(3)]
        process.send_signal(signal.SIGINT)
        rest, said = process.communicate(timeout=20)
    # THEN
    assert [trial.status for trial in trials] == [204, 401]
    assert [(line["verified"], line["answered"]) for line in lines] == [(True, 204), (True, 204), (False, 401)]
    assert [line["type"] for line in lines] == ["task.succeeded"] * 3
    assert lines[1]["event_id"] == trials[0].event_id
    assert "no signature" in lines[2]["refused"]
    # AND it ends as it should
    assert (process.returncode, rest, "Traceback" in said) == (0, "", False)


def test_once_it_ends_after_the_first_genuine_event() -> None:
    # GIVEN
    with listen("--once") as (process, url):
        # WHEN
        assert try_receiver(url, new_secret()).status == 401
        trial = try_receiver(url, VALUE)
        printed, _ = process.communicate(timeout=20)
    # THEN
    first, second = printed.splitlines()
    assert "refused (401): no signature" in first
    assert f"task.succeeded {trial.event_id}" in second
    assert process.returncode == 0


def test_nothing_within_the_time_and_a_port_in_use_end_it_with_3() -> None:
    with listening(0, [VALUE]) as other:
        port = other.url.rstrip("/").rpartition(":")[2]
        busy = run("listen", "--secret", SECRET, "--port", port)
        silent = run("listen", "--secret", SECRET, "--port", "0", "--seconds", "0.1")
    assert (busy.exit_code, "another --port" in busy.stderr) == (3, True)
    assert (silent.exit_code, "Nothing has come" in silent.stderr) == (3, True)


@pytest.mark.parametrize("secret", ["whsec_", "whsec_!!!", "hunter2", "whsec_c2hvcnQ="])
def test_what_is_no_secret_is_refused_and_not_repeated(secret: str) -> None:
    done = run("listen", "--secret", secret)
    assert (done.exit_code, secret in done.stderr.replace("whsec_ and base64", "")) == (2, False)


@pytest.mark.parametrize(
    ("flaw", "why"),
    [
        ("", None),
        ("old-time", "s away from this machine"),
        ("milliseconds", "no number of seconds"),
        ("signs-other-bytes", "no signature"),
        ("signs-no-id", "no signature"),
        ("secret-not-decoded", "no signature"),
    ],
)
def test_events_of_flawed_senders_are_refused_with_the_reason(flaw: str, why: str | None) -> None:
    # WHEN
    with listening(0, [new_secret(), VALUE]) as listener:
        sender_with(flaw)(Job(listener.url, (SECRET,), attempts=1))
        event = next(listener.events(5))
    # THEN
    assert (event.refused is None) == (why is None)
    assert (why or "") in (event.refused or "")


def test_an_event_that_comes_again_is_known_by_its_id() -> None:
    with listening(0, [VALUE], answer=500) as listener:
        sender_with("")(Job(listener.url, (SECRET,), attempts=2))
        events = listener.events(5)
        first, second = next(events), next(events)
    assert (first.event_id, first.again, second.again, second.answered) == (second.event_id, False, True, 500)


@pytest.mark.parametrize(
    ("reply", "code", "said"),
    [
        (Reply(204), 0, "answered 204"),
        (Reply(500), 1, "answered 500"),
        (Reply(410), 1, "gone, no retry"),
        (Reply(302, headers=(("Location", "/elsewhere"),)), 1, "answered 302"),
        (Reply(way="drop"), 3, "no answer (connection)"),
    ],
)
def test_a_test_says_what_the_receiver_answered(reply: Reply, code: int, said: str) -> None:
    # WHEN
    with receiver() as receives:
        site = receives.site(reply)
        done = run("test", site.url, "--secret", SECRET)
        as_json = json.loads(run("test", site.url, "--secret", SECRET, "--json").stdout)
    # THEN
    assert (done.exit_code, said in done.stdout) == (code, True), done.output
    assert "is refused: " in done.stdout
    assert "LoopbackCallbacks=true accepts it" in done.stdout
    assert (as_json["accepted"], as_json["accepted_on_laptop"], as_json["status"]) == (False, True, 204)


@pytest.mark.parametrize(
    "url",
    ["http://example.org/", "https://10.0.0.1/", "https://example.org:8443/", "https://u@example.org/", "nothing"],
)
def test_a_test_sends_nothing_to_an_address_that_is_refused(url: str) -> None:
    done = run("test", url, "--secret", SECRET)
    assert (done.exit_code, "is refused: " in done.stdout) == (2, True)
    assert "answer" not in done.stdout


def test_a_listener_takes_neither_large_bodies_nor_such_without_a_length() -> None:
    # GIVEN
    with listening(0, [VALUE]) as listener:
        answers = []
        for headers in ({"Content-Length": "1000001"}, {"Transfer-Encoding": "chunked"}, {"Content-Length": "x"}):
            connection = http.client.HTTPConnection(listener.url.split("/")[2], timeout=5)
            # WHEN
            connection.putrequest("POST", "/")
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders()
            answers.append(connection.getresponse().status)
            connection.close()
        # THEN
        assert answers == [413, 411, 411]
        assert list(listener.events(0.1)) == []
