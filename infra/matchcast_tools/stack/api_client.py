"""The HTTP API as the tools call it: one connection pool, a token, JSON in and out."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote, urlencode

import urllib3

from matchcast.errors import FieldError, MatchcastError
from matchcast_tools.errors import BadInput, EnvironmentProblem
from matchcast_tools.stack.deployed import Stack
from matchcast_tools.stack.tokens import fetch_token


def in_path(name: str) -> str:
    """Return an id as one segment of a path.

    Raises
    ------
    BadInput
        If it cannot be one: without it, or with dots alone, the path is another route's.
    """
    if name in {"", ".", ".."}:
        raise BadInput(f"{name!r} is no id. Give one as `matchcast submit`, `tasks` or a list of the API shows it.")
    return quote(name, safe="")


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; header names are matched without regard to case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Return the parsed body."""
        return json.loads(self.body)

    def expect(self, *statuses: int) -> Any:
        """Return the parsed body of an answer with one of these statuses.

        Raises
        ------
        RequestFailed
            If it has another status.
        """
        if self.status not in statuses:
            raise RequestFailed(self)
        return self.json


class RequestFailed(MatchcastError):
    """The API answered with a problem."""

    code = "request-failed"
    title = "The request failed"

    def __init__(self, answer: Answer) -> None:
        try:
            problem = answer.json
        except ValueError:
            problem = {}
        detail = problem.get("detail") or problem.get("message") or answer.body.decode(errors="replace")
        super().__init__(f"{answer.status}: {detail}", [FieldError(**field) for field in problem.get("errors", [])])
        self.status = answer.status  # type: ignore[misc]  # decides the exit code, like any error's


class ApiClient:
    """Calls one stack's API.

    Parameters
    ----------
    api_url, host_header
        Where the API is; a local engine selects the API by the Host header.
    token
        Sent as a bearer token; None sends none.
    renew
        Gives a new token when one is refused, as after an hour of work; None leaves it at that.
    """

    def __init__(
        self,
        api_url: str,
        host_header: str | None = None,
        token: str | None = None,
        renew: Callable[[], str] | None = None,
    ) -> None:
        self._url = api_url.rstrip("/")
        self._headers = {"Host": host_header} if host_header else {}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        self._renew = renew
        self._pool = urllib3.PoolManager(maxsize=128, block=True, timeout=35, retries=False)

    @classmethod
    def of(cls, stack: Stack) -> Self:
        """Return a client with a fresh token of the stack's own app client, which is renewed when it has expired."""
        return cls(stack.api_url, stack.host_header, fetch_token(stack), renew=lambda: fetch_token(stack))

    def get(self, path: str, **query: str | int | None) -> Answer:
        """Send a GET; a parameter that is None is left out."""
        given = {name: value for name, value in query.items() if value is not None}
        return self.request("GET", f"{path}?{urlencode(given)}" if given else path)

    def post(self, path: str, body: Any, headers: Mapping[str, str] | None = None) -> Answer:
        """Send a POST with a JSON body."""
        return self.request("POST", path, body=json.dumps(body), headers=headers)

    def request(
        self, method: str, path: str, *, body: str | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a request and return whatever the API answers.

        Raises
        ------
        EnvironmentProblem
            If the API does not answer at all.
        """
        content_type = {"Content-Type": "application/json"} if body is not None else {}
        given = {**content_type, **(headers or {})}
        answer = self._send(method, path, body, given)
        if answer.status == 401 and self._renew is not None:
            self._headers["Authorization"] = f"Bearer {self._renew()}"
            answer = self._send(method, path, body, given)
        return answer

    def _send(self, method: str, path: str, body: str | None, headers: Mapping[str, str]) -> Answer:
        try:
            answer = self._pool.request(method, self._url + path, body=body, headers={**self._headers, **headers})
        except urllib3.exceptions.HTTPError as error:
            raise EnvironmentProblem(f"{self._url} does not answer ({error}); is the stack running?") from error
        return Answer(answer.status, answer.headers, answer.data)

    def wait(self, task_id: str, seconds: float) -> dict[str, Any]:
        """Return a task as soon as it has ended, polling as often as the API says (`Retry-After`).

        Raises
        ------
        EnvironmentProblem
            If it is still queued after `seconds`.
        """
        deadline = time.monotonic() + seconds
        while True:
            answer = self.get(f"/results/{in_path(task_id)}")
            if answer.status != 202:
                task: dict[str, Any] = self.get(f"/monitoring/task_status/{in_path(task_id)}").expect(200)
                return task
            pause = min(float(answer.headers.get("Retry-After", 1)), max(0.1, deadline - time.monotonic()))
            if time.monotonic() >= deadline:
                raise EnvironmentProblem(f"The task {task_id} is still queued after {seconds:g} s; ask again later.")
            time.sleep(pause)
