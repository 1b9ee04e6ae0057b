"""Every write of a delivery record, judged as it happens: what may follow what, how often, and when."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from matchcast.adapters.webhook_items import read_delivery
from matchcast.domain.webhook import Attempt, Delivery
from tests.faults.expressions import Item
from tests.faults.findings import CLOCKS_DIFFER

if TYPE_CHECKING:
    from tests.faults.callbacks import Callbacks
    from tests.faults.world import World

WAITS = (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Seconds before each attempt of a series, by the contract."""
_JITTER = 1.1
_NO_ANSWER = ("timeout", "connection", "protocol")
_FIVE_DAYS = timedelta(days=5)
_EARLY = timedelta(seconds=5) + CLOCKS_DIFFER
_PROMPT = timedelta(seconds=120)
_SETTLED = timedelta(hours=1)
Place = tuple[int, int]


class DeliverySteps:
    """Looks at writes of deliveries."""

    def __init__(self, world: World, callbacks: Callbacks) -> None:
        self.claims: dict[str, int] = defaultdict(int)
        """How many attempts of each event were begun."""
        self.disabled_events: set[str] = set()
        """Events that rightly found their endpoint disabled."""
        self._world = world
        self._callbacks = callbacks
        self._findings = world.witness.findings

    def written(self, before: Item | None, after: Item | None) -> None:
        """Judge a change of a record."""
        if after is None:
            if not self._world.is_ageing:
                self._findings.lost.append("the record of an event is deleted")
            return
        old, new = read_delivery(before) if before else None, read_delivery(after)
        event_id = new.event.event_id
        why = self._wrong(old, new) or _wrong_index(after, new)
        if why:
            self._findings.illegal.append(f"{event_id[-8:]}: {_described(old)} -> {_described(new)}: {why}")

    def _wrong(self, old: Delivery | None, new: Delivery) -> str:
        if old is None:
            return self._wrong_beginning(new)
        if old.event != new.event:
            return "another event"
        if new.series != old.series:
            return self._wrong_replay(old, new)
        if new.tried != old.tried:
            return self._wrong_claim(old, new)
        if (old.state, old.attempts, old.next_attempt_at) == (new.state, new.attempts, new.next_attempt_at):
            return ""  # The sweep looks at it later.
        return self._wrong_end(old, new)

    def _wrong_beginning(self, new: Delivery) -> str:
        event = new.event
        final = self._callbacks.finals.get(event.event_id)
        if final is None:
            return "there is no such final state"
        if (event.type, event.tenant, event.url) != (final.kind, final.tenant, final.url):
            return f"it was {final}"
        return "" if (new.state, new.series, new.tried) == ("pending", 0, 0) else "it has begun already"

    def _wrong_replay(self, old: Delivery, new: Delivery) -> str:
        if (new.series, new.tried, new.state) != (old.series + 1, 0, "pending"):
            return "that is no next series"
        asked = {new.event.event_id, new.event.tenant} & self._callbacks.replays
        return "" if asked else "nobody asked for a replay"

    def _wrong_claim(self, old: Delivery, new: Delivery) -> str:
        now, place = self._callbacks.now(), (new.series, new.tried)
        self.claims[new.event.event_id] += 1
        made, due_at = _by_place(new).get(place), old.next_attempt_at
        wrong = {
            "it does not wait for that attempt": {old.state, new.state} != {"pending"} or new.tried != old.tried + 1,
            "the attempt before it has not ended": old.unended is not None,
            "that are too many attempts": new.tried > len(WAITS),
            "the attempt is not there": made is None or made.ended_at is not None,
            "that is too early": due_at is None or now < due_at - _EARLY,
        }
        if due_at is None or any(wrong.values()):
            return next(why for why, is_so in wrong.items() if is_so)
        if not old.series + old.tried:
            # A letter that is discarded ends its task once more, at the time of its failure.
            due_at = max(due_at, self._callbacks.finals[new.event.event_id].at)
        if self._world.is_quiet(due_at - _SETTLED) and now > due_at + _PROMPT:
            self._findings.stuck.append(f"attempt {place} was made {now - due_at} late, and nothing was wrong")
        return ""

    def _wrong_end(self, old: Delivery, new: Delivery) -> str:
        place = new.series, new.tried
        changed = [each for each in _by_place(new) if _by_place(old).get(each) != _by_place(new)[each]]
        if changed != [place] or old.state != "pending":
            return f"attempts {changed} change"
        attempt = _by_place(new)[place]
        if attempt.ended_at is None:
            return "the attempt does not end"
        if self._is_long_broken(new, attempt, attempt.ended_at):
            return "its endpoint should be disabled"
        status, state = attempt.status or 0, new.state.value
        if state == "pending":
            return self._wrong_wait(new, attempt, attempt.ended_at)
        if state == "disabled":
            return self._wrong_disabled(new)
        is_right, why = {
            "stopped": (status == 410, "its receiver is not gone"),
            "delivered": (200 <= status < 300, "its receiver did not take it"),
            "failed": (new.tried == len(WAITS), "there are attempts left"),
            "refused": (attempt.error == "address-refused", "nobody refused its address"),
        }[state]
        return "" if is_right else why

    def _is_long_broken(self, new: Delivery, attempt: Attempt, ended_at: datetime) -> bool:
        """Return whether an attempt failed at an endpoint that has failed for five days, and is not disabled."""
        if new.state not in ("pending", "failed") or not (attempt.status or attempt.error in _NO_ANSWER):
            return False
        known = self._endpoint(new) or {}
        if "failing_since" not in known or "disabled_at" in known:
            return False
        return ended_at.timestamp() - float(known["failing_since"]["N"]) > (_FIVE_DAYS + CLOCKS_DIFFER).total_seconds()

    def _wrong_wait(self, new: Delivery, attempt: Attempt, ended_at: datetime) -> str:
        if attempt.status is not None and (200 <= attempt.status < 300 or attempt.status == 410):
            return f"it goes on after {attempt.status}"
        if new.tried >= len(WAITS) or new.next_attempt_at is None:
            return "there is no next attempt"
        wait, least = (new.next_attempt_at - ended_at).total_seconds(), WAITS[new.tried]
        most = least * _JITTER if attempt.status is None else max(least * _JITTER, 400.0)
        return "" if least - 1 <= wait <= most + 1 else f"the next attempt is in {wait:.0f} s"

    def _wrong_disabled(self, new: Delivery) -> str:
        self.disabled_events.add(new.event.event_id)
        known = self._endpoint(new)
        if known is None or "disabled_at" not in known:
            # A tenant may have enabled it since the attempt began.
            return "" if new.event.tenant in self._callbacks.enabled else "its endpoint is not disabled"
        failing = float(known["disabled_at"]["N"]) - float(known["failing_since"]["N"])
        return "" if failing >= (_FIVE_DAYS - CLOCKS_DIFFER).total_seconds() else f"it failed for {failing:.0f} s only"

    def _endpoint(self, delivery: Delivery) -> Item | None:
        mine = self._world.webhooks.items(f"tenant#{delivery.event.tenant}")
        return next((item for item in mine if item.get("url", {}).get("S") == delivery.event.url), None)


def _by_place(delivery: Delivery) -> dict[Place, Attempt]:
    return {(each.series, each.number): each for each in delivery.attempts}


def _wrong_index(item: Item, delivery: Delivery) -> str:
    """Return what is wrong with what the sweep finds a record by."""
    if delivery.state != "pending":
        return "the sweep goes on looking at it" if "due_shard" in item else ""
    return "" if {"due_shard", "look_at"} <= item.keys() else "the sweep will not find it"


def _described(delivery: Delivery | None) -> str:
    if delivery is None:
        return "nothing"
    return f"{delivery.state} {delivery.series}-{delivery.tried}{' at it' if delivery.unended else ''}"
