"""Clients of callbacks: they make and change secrets, look at deliveries, replay events and enable endpoints."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from tests.faults.clients import Client
from tests.faults.receivers import DAY
from tests.faults.requests import Request
from tests.faults.world import World
from tests.support.http_events import Answer

_SECRETS, _REPLAY, _ENDPOINTS = "/webhooks/secrets", "/webhooks/replay", "/webhooks/endpoints"
_LONG_AGO = timedelta(days=13)
_MOST_RECEIVERS = 3
_UNANSWERED = (429, 503, 504)


class CallbackClient:
    """Who sees to the callbacks of a tenant; `strangers` are the other tenants."""

    def __init__(self, world: World, tenant: str) -> None:
        self.name = f"{tenant}-callbacks"
        self._world = world
        self._rng = world.rng
        self._tenant = tenant
        self._http = Client(world, self.name, tenant, [])

    def work(self) -> None:
        """Make a secret, then have tasks call back, and do a few things."""
        while self._request("POST", _SECRETS, {}, 201) is None:
            self._world.scheduler.pause(self._rng.expovariate(1 / 3))
        for number in range(self._rng.randint(1, _MOST_RECEIVERS)):
            receiver = self._world.receivers.draw(self._rng, self._tenant, f"receiver-{number + 1}")
            self._world.callbacks.addresses[self._tenant].append(receiver.url)
        acts: dict[str, Callable[[], object]] = {
            "rotate": self._rotate,
            "end": self._end,
            "replay": self._replay_one,
            "range": self.replay_all,
            "enable": self.enable_all,
            "look": self._look_at_one,
            "stray": self._stray,
        }
        plot = self._world.plot
        for _ in range(self._rng.randint(0, plot.most_callback_acts)):
            self._world.scheduler.pause(self._rng.expovariate(1 / plot.callback_haste))
            acts[self._rng.choice(plot.callback_acts)]()

    def days_later(self) -> None:
        """Come back again and again while receivers are down for days, and replay all in the end."""
        for days in (4.1, 1.5, 4.0):
            self._world.scheduler.pause(days * DAY)
            if self._rng.random() < 0.5:
                self._rotate()
            self.replay_all()
        while not self.enable_all():
            self._world.scheduler.pause(10)
        while not self.replay_all():
            self._world.scheduler.pause(10)

    def look(self) -> None:
        """Look at the deliveries of everything that was ever promised."""
        for event_id, final in list(self._world.callbacks.finals.items()):
            if final.tenant == self._tenant:
                self._look(event_id)

    def replay_all(self) -> bool:
        """Ask for all events once more; return whether that was accepted."""
        callbacks, began = self._world.callbacks, self._world.scheduler.now
        callbacks.replays.add(self._tenant)
        since = (self._world.scheduler.true_time() - _LONG_AGO).isoformat()
        if self._request("POST", _REPLAY, {"since": since}, 202) is None:
            return False
        callbacks.replayed_at[self._tenant] = began
        return True

    def enable_all(self) -> bool:
        """Enable every endpoint; return whether that was done."""
        found = self._request("GET", _ENDPOINTS, None, 200)
        self._world.callbacks.enabled.add(self._tenant)
        ids = [each["endpoint_id"] for each in found.json["endpoints"]] if found else []
        done = [self._request("POST", f"{_ENDPOINTS}/{each}/enable", None, 200, 404) for each in ids]
        return found is not None and None not in done

    def _rotate(self) -> None:
        body = {"retire_others_in": self._rng.choice((0, 0, 30, 3600))} if self._rng.random() < 0.7 else {}
        self._request("POST", _SECRETS, body, 201, 409)

    def _end(self) -> None:
        """End the oldest secret, if others sign too."""
        found = self._request("GET", _SECRETS, None, 200)
        live = [each["secret_id"] for each in found.json["secrets"] if each["ends_at"] is None] if found else []
        if len(live) > 1:
            self._request("DELETE", f"{_SECRETS}/{live[0]}", None, 200)

    def _replay_one(self) -> None:
        callbacks = self._world.callbacks
        mine = [event for event, final in callbacks.finals.items() if final.tenant == self._tenant]
        if not mine:
            return
        final = callbacks.finals[self._rng.choice(mine)]
        callbacks.replays |= {event for event in mine if callbacks.finals[event].subject_id == final.subject_id}
        # A task that was redriven has ended, and goes on.
        self._request("POST", _REPLAY, {f"{final.kind.partition('.')[0]}_id": final.subject_id}, 202, 409)

    def _look_at_one(self) -> None:
        mine = [event for event, final in self._world.callbacks.finals.items() if final.tenant == self._tenant]
        if mine:
            self._look(self._rng.choice(mine))

    def _look(self, event_id: str) -> None:
        world, final = self._world, self._world.callbacks.finals[event_id]
        found = self._request("GET", _path(final.kind, final.subject_id), None, 200, 404, 410)
        if found is None or found.status != 200:
            return
        for each in found.json["deliveries"]:
            known = world.callbacks.finals.get(each["event_id"])
            if known is None or (known.tenant, known.subject_id) != (self._tenant, final.subject_id):
                world.witness.findings.changed.append(f"{each['event_id'][-8:]} is in the list of {event_id[-8:]}")
            if each["state"] == "delivered" and each["event_id"] not in world.receivers.at(each["url"]).taken:
                world.witness.findings.changed.append(f"{each['event_id'][-8:]} is shown as delivered, and is not")

    def _stray(self) -> None:
        """Ask for what belongs to another tenant."""
        others = [final for final in self._world.callbacks.finals.values() if final.tenant != self._tenant]
        if not others:
            return
        final = self._rng.choice(others)
        kind = final.kind.partition(".")[0]
        self._request("GET", _path(kind, final.subject_id), None, 404)
        self._request("POST", _REPLAY, {f"{kind}_id": final.subject_id}, 404)

    def _request(self, method: str, path: str, body: Any, *expected: int) -> Answer | None:
        """Return an answer of an expected status; None: there is none, or not now."""
        request = Request("callbacks", self._tenant, "manage_webhooks", method, path, body=body)
        found = self._http.request(request)
        if found is None or found.status in _UNANSWERED or found.status >= 500:
            return None
        if found.status not in expected:
            self._world.witness.findings.needless.append(f"{found.status} for {method} {path}: {found.json['detail']}")
            return None
        return found


def _path(kind: str, subject_id: str) -> str:
    return f"/predict/{'async' if kind.startswith('task') else 'batch'}/{subject_id}/deliveries"
