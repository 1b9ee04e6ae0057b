"""The walk of `make demo`: every kind of request, to a real HTTP address, each answer checked."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from matchcast.domain.prediction import OUTCOMES
from matchcast_tools.stack.api_client import Answer, ApiClient
from matchcast_tools.stack.deployed import Stack
from matchcast_tools.stack.tokens import fetch_token

if TYPE_CHECKING:
    from rich.console import Console

TOLERANCE = 1e-6
"""How far apart two predictions for the same match may be."""
AT_ONCE = 100
SHOWN_LINES = 14


class WalkFailed(Exception):
    """An answer was not what the contract says."""


@dataclass
class Walk:
    """Sends requests, prints them with their answers, and stops at the first wrong one."""

    api: ApiClient
    console: Console
    steps: int = 0

    def ask(self, title: str, method: str, path: str, *, status: int = 200, **request: Any) -> Answer:
        """Send one request of the walk and require its status."""
        api: ApiClient = request.pop("api", self.api)
        body = request.get("body")
        self.steps += 1
        self.console.print(f"\n[bold]{self.steps}. {escape(title)}[/]")
        extra = "".join(f" -H '{name}: {value}'" for name, value in (request.get("headers") or {}).items())
        data = f" -d '{body}'" if body else ""
        self.console.print(f"[cyan]{method} {escape(path)}{escape(extra)}{escape(data)}[/]", soft_wrap=True)
        started = time.perf_counter()
        answer = api.request(method, path, **request)
        milliseconds = (time.perf_counter() - started) * 1000
        mark = "green" if answer.status == status else "red"
        self.console.print(f"[{mark}]{answer.status}[/] in {milliseconds:.0f} ms{escape(_headers(answer))}")
        self.console.print(escape(_shorten(answer)), highlight=False, soft_wrap=True)
        self.demand(answer.status == status, f"{method} {path} answered {answer.status}, not {status}")
        return answer

    def demand(self, holds: bool, otherwise: str) -> None:
        """Stop the walk unless something holds."""
        if not holds:
            raise WalkFailed(otherwise)


def take(walk: Walk, stack: Stack) -> None:
    """Take the walk: precomputed, on demand, queued, and what goes wrong."""
    match_id = precomputed(walk)
    prediction = on_demand(walk, match_id)
    queued(walk, match_id, prediction)
    mistakes(walk, stack, match_id)
    walk.ask("What the API offers, for programs (for people there is /docs)", "GET", "/openapi.json")
    many_at_once(walk)


def precomputed(walk: Walk) -> str:
    """Ask for everything that is served from memory; return the id of a match."""
    walk.ask("Is the service healthy? (no token needed)", "GET", "/health")
    page = walk.ask("Precomputed predictions, two a page", "GET", "/predict/predictions/?limit=2").json
    cursor = page["next_cursor"]
    walk.ask("The next page", "GET", f"/predict/predictions/?limit=2&cursor={cursor}")
    first = page["items"][0]
    region = first["region"]
    walk.ask("Only one region", "GET", f"/predict/predictions/?region={region}&limit=1")
    match_id = first["match_id"]
    answer = walk.ask("One match, every column", "GET", f"/predict/precomputed/{match_id}")
    etag = {"If-None-Match": answer.headers["ETag"]}
    walk.ask("Asked again with its ETag", "GET", f"/predict/precomputed/{match_id}", status=304, headers=etag)
    cards = walk.ask("Cards: predictions with the bookmaker's odds", "GET", "/predict/cards/?limit=1").json
    walk.demand(bool(cards["items"]), "there are no cards")
    walk.ask("The odds alone", "GET", "/predict/odds/?limit=1")
    walk.ask("What betting on the model would have returned, by region", "GET", "/predict/region-roi/")
    card = walk.ask("Its scores on matches played since, and the bookmaker's", "GET", "/predict/model/scorecard")
    walk.demand(card.json["rows"] > 0, "no match is scored")
    return str(match_id)


def on_demand(walk: Walk, match_id: str) -> dict[str, Any]:
    """Ask for predictions on demand; all of them agree."""
    stored = walk.api.get(f"/predict/precomputed/{match_id}").expect(200)
    prediction: dict[str, Any] = walk.ask("The same match on demand", "GET", f"/predict/{match_id}").json
    walk.demand(_agree(stored, prediction), "precomputed and on-demand predictions differ")
    info = walk.ask("The model behind it", "GET", "/predict/model/info").json
    features = {column["name"]: stored["features"][column["name"]] for column in info["signature"]["inputs"]}
    body = json.dumps({"features": features})
    own = walk.ask("The same features, sent by the caller", "POST", "/predict/", body=body).json
    walk.demand(_agree(prediction, own), "a match and its own features give different predictions")
    total = math.fsum(prediction[outcome] for outcome in OUTCOMES)
    walk.demand(abs(total - 1) < 1e-9, "the probabilities do not sum to one")
    return prediction


def queued(walk: Walk, match_id: str, prediction: dict[str, Any]) -> None:
    """Submit a task, wait for it, and compare."""
    body = json.dumps({"match_id": match_id, "priority": "high"})
    task = walk.ask("Queued, in the high lane", "POST", "/predict/async/", status=202, body=body).json
    walk.api.wait(task["task_id"], seconds=30)
    walk.ask("Its status", "GET", task["links"]["status"])
    result = walk.ask("Its result", "GET", task["links"]["result"]).json
    walk.demand(_agree(prediction, result), "queued and on-demand predictions differ")
    walk.ask("Your tasks, newest first", "GET", "/predict/async/?status=succeeded&limit=1")


def mistakes(walk: Walk, stack: Stack, match_id: str) -> None:
    """Make the usual mistakes; each has an answer of its own."""
    without = ApiClient(stack.api_url, stack.host_header)
    reader = ApiClient(stack.api_url, stack.host_header, fetch_token(stack, ["predictions/read"]))
    walk.ask("No token", "GET", "/predict/predictions/", status=401, api=without)
    body = json.dumps({"match_id": match_id})
    walk.ask("A token that may only read", "POST", "/predict/async/", status=403, api=reader, body=body)
    walk.ask("A match that does not exist", "GET", "/predict/xx-2020-01-01-one-other", status=404)
    wrong = json.dumps({"match_id": match_id, "priority": "urgent"})
    problem = walk.ask("An invalid field", "POST", "/predict/async/", status=422, body=wrong).json
    walk.demand(problem["errors"][0]["pointer"] == "/priority", "the problem does not name the field")
    walk.ask("A body that is not JSON", "POST", "/predict/", status=422, body="{")
    walk.ask("A path that does not exist", "GET", "/nowhere", status=404)


def many_at_once(walk: Walk) -> None:
    """Submit a hundred predictions at once; each is a task of its own with the right result."""
    page = walk.api.get("/predict/predictions/", limit=AT_ONCE).expect(200)
    matches = [item["match_id"] for item in page["items"]]
    wanted = [matches[number % len(matches)] for number in range(AT_ONCE)]
    walk.console.print(f"\n[bold]{AT_ONCE} submissions at once[/]")
    started = time.perf_counter()

    def submit(match: str) -> str:
        return str(walk.api.post("/predict/async/", {"match_id": match}).expect(202)["task_id"])

    ids = _at_once(submit, wanted)
    walk.demand(len(set(ids)) == AT_ONCE, "some submissions share a task")
    tasks = _at_once(lambda task_id: walk.api.wait(task_id, seconds=60), ids)
    seconds = time.perf_counter() - started
    on_demand_answers = dict(zip(matches, _at_once(lambda match: _predict(walk.api, match), matches), strict=True))
    for match, task in zip(wanted, tasks, strict=True):
        walk.demand(task["status"] == "succeeded", f"task {task['task_id']} is {task['status']}")
        walk.demand(_agree(task["result"], on_demand_answers[match]), f"{match}: queued and on demand differ")
    walk.console.print(
        f"{AT_ONCE} accepted, {len(set(ids))} tasks, all succeeded after {seconds:.1f} s, "
        f"each equal to the on-demand answer within {TOLERANCE:g}"
    )


def _predict(api: ApiClient, match_id: str) -> dict[str, Any]:
    answer: dict[str, Any] = api.get(f"/predict/{match_id}").expect(200)
    return answer


def _at_once(call: Callable[[str], Any], subjects: list[str]) -> list[Any]:
    with ThreadPoolExecutor(len(subjects)) as threads:
        return list(threads.map(call, subjects))


def _agree(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(abs(one[outcome] - other[outcome]) <= TOLERANCE for outcome in OUTCOMES)


def _headers(answer: Answer) -> str:
    shown = {name: answer.headers[name] for name in ("ETag", "Location", "Retry-After") if name in answer.headers}
    return "".join(f", {name}: {value}" for name, value in shown.items())


def _shorten(answer: Answer) -> str:
    """Return the body as indented JSON, cut after some lines."""
    if not answer.body:
        return "(no body)"
    lines = json.dumps(answer.json, indent=2, ensure_ascii=False).splitlines()
    cut = len(lines) - SHOWN_LINES
    return "\n".join(lines[:SHOWN_LINES] + ([f"... ({cut} more lines)"] if cut > 0 else []))
