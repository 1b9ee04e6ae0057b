"""Clients: they ask in every way, repeat themselves when no answer comes, read, list, cancel and try again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.faults.requests import Request, about, draw_subject, listing, making, retrying
from tests.faults.scheduler import Killed
from tests.faults.world import World
from tests.support.http_events import Answer, answer, http_event

_SCOPES = "predictions/read predictions/write"
_MOST_PAGES = 60


class Client:
    """One user of a tenant; `known` are the tasks that all of them have heard of."""

    def __init__(self, world: World, name: str, tenant: str, known: list[str]) -> None:
        self.name = name
        self._world = world
        self._rng = world.rng
        self._tenant = tenant
        self._known = known
        self._made = 0
        self._repeatable: list[Request] = []

    def work(self) -> None:
        """Do a few things."""
        plot = self._world.plot
        acts: dict[str, Callable[[], None]] = {
            "ask": self._ask_for_one,
            "read": self._read,
            "list": self.list_all,
            "cancel": self._cancel,
            "again": self._try_again,
            "repeat": self._repeat,
        }
        for _ in range(self._rng.randint(1, plot.most_acts)):
            self._world.scheduler.pause(self._rng.expovariate(1 / plot.haste))
            name = self._rng.choice(plot.acts)
            if (name == "repeat" and not self._repeatable) or (name != "ask" and not self._known):
                name = "ask"
            acts[name]()

    def insist(self, request: Request) -> None:
        """Send a request until it is answered, and perhaps once more although it is."""
        for _ in range(self._rng.randint(1, 3)):
            status = self.send(request)
            if status is None or status in (429, 503, 504):
                self._world.scheduler.pause(self._rng.expovariate(1 / 3))
                if request.key is None and self._rng.random() < 0.5:
                    return
            elif self._rng.random() < 0.7:
                return

    def interfere(self, request: Request) -> None:
        """Send a request that another client is just sending, and perhaps cancel what it made."""
        self.insist(request)
        if self._known and self._rng.random() < 0.5:
            self._cancel()

    def send(self, request: Request) -> int | None:
        """Send a request for a prediction, have its answer witnessed, and return its status."""
        witness, began = self._world.witness, self._world.scheduler.true_time()
        found = self.request(request)
        if found is None:
            return None
        if found.status == 202:
            witness.accepted(request, found.json, began)
            if found.json["task_id"] not in self._known:
                self._known.append(found.json["task_id"])
        elif found.status == 200:
            witness.predicted(request, found.json, began)
        elif found.status < 500:
            witness.refused(request, found, began)
        return found.status

    def read(self, task_id: str) -> None:
        """Read a task, or its result."""
        witness, began = self._world.witness, self._world.scheduler.true_time()
        found = self.request(about("status", self._tenant, task_id))
        if found is not None and found.status == 200:
            witness.saw(found.json, began)
        elif found is not None and found.status in (404, 410):
            witness.missed(task_id, found.status)

    def list_all(self, status: str | None = None) -> None:
        """Walk the list of the tenant's tasks to its end."""
        began, cursor, pages = self._world.scheduler.true_time(), None, []
        query: dict[str, Any] = {"limit": self._rng.choice((2, 100)), **({"status": status} if status else {})}
        for _ in range(_MOST_PAGES):
            found = self.request(listing(self._tenant), {**query, **({"cursor": cursor} if cursor else {})})
            if found is None or found.status != 200:
                return
            pages.append(found.json["items"])
            cursor = found.json["next_cursor"]
            if cursor is None:
                self._world.witness.listed(self._tenant, pages, began, status)
                return
        self._world.witness.endless(self._tenant, _MOST_PAGES)

    def _ask_for_one(self) -> None:
        self._make(self._request_for_one(self._rng.choice(self._world.plot.hows), self._key()))

    def _request_for_one(self, how: str, key: str | None) -> Request:
        plot, rng = self._world.plot, self._rng
        within = rng.choice((1, 10, 40)) if rng.random() < plot.hurried else None
        subject, callback = draw_subject(rng, plot), self._world.callbacks.an_address(self._tenant)
        return making(rng, how, self._tenant, key, subject=subject, within=within, callback=callback)

    def _try_again(self) -> None:
        self._make(retrying(self._tenant, self._key(), self._any()))

    def _key(self) -> str | None:
        self._made += 1
        return f"{self.name}-{self._made}" if self._rng.random() < self._world.plot.keyed else None

    def _make(self, request: Request) -> None:
        if request.key is not None:
            self._repeatable.append(request)
            if self._rng.random() < self._world.plot.twins:
                twin = Client(self._world, f"{self.name}'", self._tenant, self._known)
                self._world.scheduler.start(twin.name, lambda: twin.interfere(request))
        self.insist(request)

    def _repeat(self) -> None:
        """Send a request once more that was answered long ago, or another one with its key."""
        retries = [request for request in self._repeatable if request.how == "retry"]
        request = self._rng.choice(retries or self._repeatable)
        if self._rng.random() < 0.3:
            request = self._request_for_one("submit", request.key)
        self.insist(request)

    def _read(self) -> None:
        if self._known:
            self.read(self._any())

    def _cancel(self) -> None:
        task_id, began, witness = self._any(), self._world.scheduler.true_time(), self._world.witness
        witness.ledger.cancelled.add(task_id)
        found = self.request(about("cancel", self._tenant, task_id))
        if found is None:
            return
        if found.status == 200:
            witness.saw(found.json, began)
        elif found.status == 409 and "is queued" in found.json["detail"]:
            witness.findings.illegal.append(f"a queued task was not cancelled: {found.json['detail']}")
        elif found.status in (404, 410):
            witness.missed(task_id, found.status)

    def _any(self) -> str:
        """Return one of the known tasks, rather a recent one, about which the most happens."""
        return self._known[-1] if self._rng.random() < 0.5 else self._rng.choice(self._known)

    def request(self, request: Request, query: dict[str, Any] | None = None) -> Answer | None:
        """Return what one HTTP request is answered with, or None where no answer comes."""
        world, began = self._world, self._world.scheduler.true_time()
        event = http_event(
            request.method,
            request.path,
            query=query,
            body=request.body,
            headers=request.headers,
            claims={"client_id": request.tenant, "scope": _SCOPES},
            time_epoch=int(began.timestamp() * 1000),
        )
        with world.witness.sending(request):
            try:
                with world.invocations.environment(request.function):
                    found = answer(world.invocations.run(request.function, event))
            except Killed:
                return None
        world.calls.note(f"{request.method} {request.path[-40:]} {request.key or ''} is answered with {found.status}")
        if found.status >= 500:
            world.witness.failed(request, found, began)
        # Some answers get lost on their way.
        return None if self._rng.random() < world.calls.weather.answer_lost else found
