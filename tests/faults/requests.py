"""The requests of clients, as they reach the handlers."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import Any

from matchcast.domain.task import Priority
from tests.faults.bucket import CURSED, EXPLODES, MATCHES, WITHDRAWN
from tests.faults.plot import Plot

Subject = dict[str, Any]
_GOOD_MATCHES = [match for match in MATCHES if match not in (CURSED, WITHDRAWN)]


@dataclass(frozen=True)
class Request:
    """One request; repeating it means sending it again with the same key."""

    how: str
    tenant: str
    function: str
    method: str
    path: str
    key: str | None = None
    subject: Subject = field(default_factory=dict)
    body: Any = None
    prefer: str | None = None

    @property
    def content(self) -> str:
        """Return what a key stands for."""
        # A waiting client asks for the same as one that does not wait.
        return json.dumps([self.method, self.path, self.body], sort_keys=True)

    @property
    def makes_a_task(self) -> bool:
        """Return whether it makes a task, whatever it is answered with."""
        return self.how != "predict" and self.how in MAKING

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers that it is sent with."""
        headers = {"Idempotency-Key": self.key} if self.key else {}
        return {**headers, "Prefer": self.prefer} if self.prefer else headers


MAKING = ("submit", "ask", "wait", "retry")


def draw_subject(rng: random.Random, plot: Plot) -> Subject:
    """Return what a request asks for."""
    chance = rng.random()
    if chance < plot.exploding:
        return {"match_id": None, "features": EXPLODES}
    if chance < plot.exploding + plot.cursed:
        return {"match_id": rng.choice((CURSED, WITHDRAWN)), "features": None}
    if rng.random() < plot.own_features:
        return {"match_id": None, "features": {"elo_difference": float(rng.randint(1, 9)), "form": 1.5}}
    return {"match_id": rng.choice((*_GOOD_MATCHES, WITHDRAWN)), "features": None}


def making(
    rng: random.Random,
    how: str,
    tenant: str,
    key: str | None,
    *,
    subject: Subject,
    within: int | None,
    callback: str | None = None,
) -> Request:
    """Return a request for a prediction, by a task or at once."""
    given = {name: value for name, value in subject.items() if value is not None}
    if how == "submit":
        body = {**given, "priority": rng.choice(list(Priority)), "start_within": within}
        if callback is not None:
            body["callback_url"] = callback
        return Request(how, tenant, "submit_prediction", "POST", "/predict/async/", key, subject, body)
    prefer = {"ask": "respond-async", "wait": f"wait={rng.choice((1, 5, 28))}, respond-async", "predict": None}[how]
    if subject["match_id"] is not None:
        path = f"/predict/{subject['match_id']}"
        return Request(how, tenant, "predict_now", "GET", path, None, subject, None, prefer)
    return Request(how, tenant, "predict_now", "POST", "/predict/", key if prefer else None, subject, given, prefer)


def retrying(tenant: str, key: str | None, task_id: str) -> Request:
    """Return a request to try a task again."""
    return Request("retry", tenant, "track_tasks", "POST", f"/predict/async/{task_id}/retry", key)


def about(how: str, tenant: str, task_id: str) -> Request:
    """Return a request about a task."""
    method, path = {
        "status": ("GET", f"/monitoring/task_status/{task_id}"),
        "result": ("GET", f"/results/{task_id}"),
        "cancel": ("DELETE", f"/predict/async/{task_id}"),
    }[how]
    return Request(how, tenant, "track_tasks", method, path)


def listing(tenant: str) -> Request:
    """Return a request for a tenant's tasks."""
    return Request("list", tenant, "track_tasks", "GET", "/predict/async/")
