"""Batches over the HTTP API, with the patience that work of minutes needs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from matchcast.domain.batch import BatchStatus, FileFormat
from matchcast_tools.errors import BadInput, EnvironmentProblem
from matchcast_tools.stack.api_client import Answer, ApiClient, in_path
from matchcast_tools.stack.transfers import Moved, attempts, send_form

PATIENCE_SECONDS = 600
"""How long a service that asks to come again later is asked again."""
GIVE_UP_SECONDS = 60
"""How long one is that does not answer at all."""
_LONGEST_PAUSE_SECONDS = 5.0
_COME_AGAIN = (429, 503, 504)

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class InputForm:
    """What a file is, by its name."""

    format: FileFormat
    gzipped: bool


def form_of(path: Path) -> InputForm:
    """Return what an input file is.

    Raises
    ------
    BadInput
        If its name does not tell.
    """
    for gzipped in (False, True):
        for kind in FileFormat:
            if path.name.lower().endswith(f".{kind}" + (".gz" if gzipped else "")) and not (
                gzipped and kind is FileFormat.PARQUET
            ):
                return InputForm(kind, gzipped)
    raise BadInput(
        f"{path} has no known extension. Name it .csv, .jsonl, .csv.gz, .jsonl.gz or .parquet after its content; a "
        "list of match ids, one a line, is .txt, or - for the standard input."
    )


class BatchClient:
    """Calls the routes of batches.

    Parameters
    ----------
    api
        The API.
    say
        Called with what is waited for, when the service asks to come again later.
    """

    def __init__(self, api: ApiClient, say: Say = lambda _: None) -> None:
        self._api = api
        self._say = say

    def upload(self, path: Path, moved: Moved = lambda *_: None) -> str:
        """Upload a file and return what a submission names it by.

        Raises
        ------
        BadInput
            If it is no file that can be an input.
        """
        kind, size = form_of(path), path.stat().st_size
        if not size:
            raise BadInput(f"{path} is empty. Give a file with at least one row.")
        body = {"format": kind.format, "gzip": kind.gzipped}
        form = self._patiently(lambda: self._api.post("/predict/batch/uploads", body)).expect(201)
        if size > form["max_bytes"]:
            raise BadInput(f"{path} has {size} bytes; at most {form['max_bytes']} are taken. Split it into several.")
        attempts(lambda: send_form(form["url"], form["fields"], path, moved))
        return str(form["input"])

    def submit(self, **body: Any) -> dict[str, Any]:
        """Submit a batch; one that is accepted while its answer is lost is the same one."""
        return self._post("/predict/batch/", body)

    def retry_failed(self, batch_id: str) -> dict[str, Any]:
        """Run the failed and cancelled rows of a batch again."""
        return self._post(f"{batch_path(batch_id)}/retry-failed", {})

    def cancel(self, batch_id: str) -> dict[str, Any]:
        """Cancel what has not run of a batch."""
        path = batch_path(batch_id)
        batch: dict[str, Any] = self._patiently(lambda: self._api.request("DELETE", path)).expect(200)
        return batch

    def status(self, batch_id: str, **query: str) -> dict[str, Any]:
        """Return a batch; `links="true"` asks for the addresses of its files."""
        path = batch_path(batch_id)
        batch: dict[str, Any] = self._patiently(lambda: self._api.get(path, **query)).expect(200)
        return batch

    def until_ended(self, batch_id: str, seconds: float | None = None) -> Iterator[dict[str, Any]]:
        """Yield a batch again and again, and as it is when it has ended.

        Raises
        ------
        EnvironmentProblem
            If it has not ended after `seconds`; without them it is waited for as long as it takes.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        pause = 0.25
        while True:
            batch = self.status(batch_id)
            yield batch
            if BatchStatus(batch["status"]).is_final:
                return
            if deadline is not None:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise EnvironmentProblem(
                        f"The batch {batch_id} is still {batch['status']} after {seconds:g} s; ask again later."
                    )
                pause = min(pause, left)
            time.sleep(pause)
            pause = min(_LONGEST_PAUSE_SECONDS, max(0.25, pause * 1.3))

    def newest(self, limit: int) -> list[dict[str, Any]]:
        """Return the tenant's batches, newest first."""
        batches: list[dict[str, Any]] = []
        cursor: str | None = None
        while len(batches) < limit:
            wanted = min(100, limit - len(batches))
            page = self._api.get("/predict/batch/", limit=wanted, cursor=cursor).expect(200)
            batches += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        return batches

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"Idempotency-Key": f"matchcast-{uuid4()}"}
        batch: dict[str, Any] = self._patiently(lambda: self._api.post(path, body, headers)).expect(202)
        return batch

    def _patiently(self, call: Callable[[], Answer]) -> Answer:
        """Return the first answer that does not ask to come again, or the last one when the patience has ended.

        No answer at all is waited for too: every request can be repeated without harm.
        """
        began = time.monotonic()
        while True:
            waited = time.monotonic() - began
            try:
                answer = call()
                if answer.status not in _COME_AGAIN or waited > PATIENCE_SECONDS:
                    return answer
                pause, why = _pause(answer), f"The API answers {answer.status}{_detail(answer)}"
            except EnvironmentProblem as error:
                if waited > GIVE_UP_SECONDS:
                    raise
                pause, why = 2.0, error.detail
            self._say(f"{why} - trying again in {pause:g} s.")
            time.sleep(pause)


def batch_path(batch_id: str) -> str:
    """Return the path of a batch."""
    return f"/predict/batch/{in_path(batch_id)}"


def _pause(answer: Answer) -> float:
    with suppress(ValueError):
        return min(60.0, max(0.1, float(answer.headers.get("Retry-After", ""))))
    return 2.0


def _detail(answer: Answer) -> str:
    with suppress(ValueError, AttributeError):
        return f": {answer.json.get('detail') or answer.json.get('message')}"
    return ""
