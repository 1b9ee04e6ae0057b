"""The code of the page for receivers verifies what a right sender sends, and nothing else."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.conformance.flawed import sender_with
from tests.conformance.job import Job
from tests.conformance.receiver import Request, receiver
from tests.conformance.signatures import new_secret
from tests.support.template import ROOT

PAGE = (ROOT / "infra/docs/receivers.md").read_text()
SECRETS = [new_secret(), new_secret()]
VERIFIERS = ("verify", "verify_with_the_package")


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    """Run the page's blocks."""
    part = PAGE.split("<!-- receiver:")[1].split("<!-- end of the receiver -->")[0]
    names: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```", part, re.MULTILINE | re.DOTALL):
        exec(compile(block, "receivers.md", "exec"), names)
    names["SECRETS"][:] = SECRETS
    return names


def sent(flaw: str = "", secrets: list[str] | None = None) -> Request:
    """Return what a sender sends."""
    with receiver() as receives:
        site = receives.site()
        sender_with(flaw)(Job(site.url, tuple(secrets or SECRETS[:1])))
        return site.requests[0]


def headers_of(request: Request) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers if name.lower() != "content-length"}


@pytest.fixture
def address(page: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run the page's receiver in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(page["Receiver"], "log_message", lambda *_: None)
    server = ThreadingHTTPServer(("127.0.0.1", 0), page["Receiver"])
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("name", VERIFIERS)
@pytest.mark.parametrize("secrets", [SECRETS[:1], SECRETS[1:], SECRETS, [new_secret(), SECRETS[1]]])
def test_what_is_signed_with_a_secret_of_the_receiver_verifies(
    page: dict[str, Any], name: str, secrets: list[str]
) -> None:
    request = sent(secrets=secrets)
    assert page[name](SECRETS, headers_of(request), request.body) is True


@pytest.mark.parametrize("name", VERIFIERS)
@pytest.mark.parametrize(
    "flaw", ["signs-other-bytes", "signs-no-id", "signs-no-time", "secret-not-decoded", "old-time"]
)
def test_what_is_signed_wrongly_or_is_old_does_not_verify(page: dict[str, Any], name: str, flaw: str) -> None:
    request = sent(flaw)
    assert page[name](SECRETS, headers_of(request), request.body) is False


@pytest.mark.parametrize("name", VERIFIERS)
def test_every_byte_of_the_body_counts(page: dict[str, Any], name: str) -> None:
    # GIVEN
    request = sent()
    # WHEN each byte is another one
    for place in range(len(request.body)):
        other = b"!" if request.body[place : place + 1] != b"!" else b"?"
        changed = (request.body[:place] + other + request.body[place + 1 :]).decode(errors="replace").encode()
        # THEN
        assert page[name](SECRETS, headers_of(request), changed) is False, place


def test_the_receiver_keeps_an_event_once_and_refuses_what_is_not_ours(address: str) -> None:
    # GIVEN
    request = sent()
    headers = headers_of(request)
    # WHEN
    asked = [
        (headers, request.body),
        (headers, request.body),
        (headers, request.body + b" "),
        (headers | {"webhook-timestamp": "soon"}, request.body),
        ({"content-type": "application/json"}, request.body),
    ]
    answers = [
        urllib3.request("POST", address, headers=given, body=body, retries=False).status for given, body in asked
    ]
    # THEN
    assert answers == [204, 204, 401, 401, 401]
    with closing(sqlite3.connect("events.db")) as database:
        assert database.execute("SELECT id, body FROM events").fetchall() == [(headers["webhook-id"], request.body)]
