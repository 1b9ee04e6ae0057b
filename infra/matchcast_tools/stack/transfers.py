"""Large files to and from the presigned addresses of batches, a block at a time."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from uuid import uuid4

import urllib3

from matchcast_tools.errors import BadInput, EnvironmentProblem

Moved = Callable[[int, int], None]
"""Called with how many bytes were moved, and how many there are."""
ATTEMPTS = 4
_BLOCK = 256 * 1024
_TIMEOUT = urllib3.Timeout(connect=10, read=300)
_PAUSE_SECONDS = 1.0
_TRY_AGAIN = (429, 500, 502, 503, 504)


class TransferFailed(EnvironmentProblem):
    """A file could not be moved; what `again` says tells whether a new attempt may succeed."""

    def __init__(self, detail: str, *, again: bool) -> None:
        super().__init__(detail)
        self.again = again


def attempts(transfer: Callable[[], None]) -> None:
    """Run a transfer until it succeeds, a few times at most, with growing pauses.

    Raises
    ------
    TransferFailed
        What the last attempt raised, or one that no attempt will mend.
    """
    for attempt in range(1, ATTEMPTS):
        try:
            return transfer()
        except TransferFailed as error:
            if not error.again:
                raise
        time.sleep(_PAUSE_SECONDS * 2**attempt)
    return transfer()


def send_form(url: str, fields: Mapping[str, str], path: Path, moved: Moved) -> None:
    """Send a presigned form: its fields in their order, then the file, which is never in memory as a whole.

    Raises
    ------
    TransferFailed
        If the form is refused, or nobody answers.
    BadInput
        If the file cannot be read, or changes meanwhile.
    """
    boundary = uuid4().hex
    parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
             for name, value in fields.items()]  # fmt: skip
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="rows"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    before, after = b"".join([*parts, head.encode()]), f"\r\n--{boundary}--\r\n".encode()
    size = path.stat().st_size
    headers = {
        "Content-Type": f"multipart/form-data; boundary={boundary}",
        # Storage takes no form of unknown length.
        "Content-Length": str(len(before) + size + len(after)),
    }

    def body() -> Iterator[bytes]:
        yield before
        yield from _blocks(path, size, moved)
        yield after

    try:
        answer = _pool().request("POST", url, body=body(), headers=headers)
    except (urllib3.exceptions.HTTPError, ConnectionError) as error:
        raise TransferFailed(f"The upload to {_host(url)} broke off: {error}.", again=True) from error
    if not 200 <= answer.status < 300:
        said = _said(answer.status, answer.data)
        raise TransferFailed(f"The upload was refused: {said}", again=answer.status in _TRY_AGAIN)


def fetch_file(url: str, path: Path, moved: Moved) -> None:
    """Write what is at a presigned address to a file.

    Raises
    ------
    TransferFailed
        If it is refused, or breaks off.
    """
    try:
        answer = _pool().request("GET", url, preload_content=False)
        if answer.status != 200:
            # An address that has expired is refused like one that was never good; a new one may be.
            said = _said(answer.status, answer.read())
            raise TransferFailed(f"The download was refused: {said}", again=answer.status in (*_TRY_AGAIN, 403))
        size, done = int(answer.headers.get("Content-Length", 0)), 0
        with path.open("wb") as file:
            for block in answer.stream(_BLOCK, decode_content=False):
                file.write(block)
                done += len(block)
                moved(done, size)
    except (urllib3.exceptions.HTTPError, ConnectionError) as error:
        raise TransferFailed(f"The download from {_host(url)} broke off: {error}.", again=True) from error


def _blocks(path: Path, size: int, moved: Moved) -> Iterator[bytes]:
    done = 0
    with path.open("rb") as file:
        while block := file.read(min(_BLOCK, size - done)):
            done += len(block)
            yield block
            moved(done, size)
        if done != size or file.read(1):
            raise BadInput(f"{path} changed while it was uploaded. Run the command again when nobody writes to it.")


def _pool() -> urllib3.PoolManager:
    return urllib3.PoolManager(retries=False, timeout=_TIMEOUT)


def _host(url: str) -> str:
    return urllib3.util.parse_url(url).netloc or url


def _said(status: int, body: bytes) -> str:
    """Return what S3 says of an error, which it does in XML."""
    text = body[:4096].decode(errors="replace")
    found = [re.search(f"<{name}>([^<]*)</{name}>", text) for name in ("Code", "Message")]
    return f"{status} " + (" - ".join(match[1] for match in found if match) or text[:200])
