"""Every write of a task record, judged as it happens: whether it is legal, and whether its end has a cause."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from matchcast.errors import InvalidMessage
from matchcast.messages import decode
from tests.faults.bucket import WITHDRAWN, is_answered
from tests.faults.expressions import Item
from tests.faults.findings import CLOCKS_DIFFER, Findings, short
from tests.faults.queues import Message

if TYPE_CHECKING:
    from tests.faults.world import World

MAX_ATTEMPTS = 3
TROUBLE_LASTS = 60.0
"""Seconds after the last fault of a process for which it may still fail because of it."""
_NEVER_CHANGES = ("tenant", "match_id", "features", "stage", "priority", "created_at", "retry_of", "tenant_shard")
_CLIENTS_FAULTS = ("match-not-found", "stage-not-found", "invalid-request")


class Ledger:
    """Looks at writes of the table."""

    def __init__(self, world: World, findings: Findings) -> None:
        self.cancelled: set[str] = set()
        """Tasks that a client asked to cancel."""
        self.letters: set[tuple[str, int]] = set()
        """Tasks and generations of which there was a dead letter."""
        self.discarded: set[tuple[str, int]] = set()
        """Tasks and generations whose letters an operator gave up."""
        self.consents: set[str] = set()
        """Letters that an operator redrove or discarded."""
        self._world = world
        self._findings = findings

    def written(self, before: Item | None, after: Item | None) -> None:
        """Judge a change of an item."""
        item = after or before
        if item is None or not item["pk"]["S"].startswith("task#") or before == after:
            return
        if after is None:
            if time_of(item, "expires_at") > self._now():
                self._findings.lost.append(f"{short(item['task_id']['S'])} was deleted before its time")
            return
        what = f"{described(before)} -> {described(after)}"
        given_up = (after["task_id"]["S"], int(after["generation"]["N"])) in self.discarded
        if not _is_legal(before, after, given_up=given_up):
            self._findings.illegal.append(f"{short(item['task_id']['S'])}: {what}")
        if before is not None and any(before.get(name) != after.get(name) for name in _NEVER_CHANGES):
            self._findings.illegal.append(f"{short(item['task_id']['S'])}: {what}: another request")
        why = self._needless(before, after)
        if why:
            self._findings.needless.append(f"{short(item['task_id']['S'])}: {what}: {why}")

    def letter(self, message: Message, is_there: bool) -> None:
        """Judge that a letter has come, or is gone."""
        if is_there:
            with suppress(InvalidMessage):
                task = decode(message.body)
                self.letters.add((task.task_id, task.generation))
        elif message.message_id not in self.consents and not self._world.is_ageing:
            self._findings.lost.append(f"{message.message_id} is deleted, and no operator asked for that")

    def _needless(self, before: Item | None, after: Item) -> str:
        """Return what a write lacks as its cause; nothing where it has one."""
        if self._attempts(before) < self._attempts(after) and not self.is_troubled():
            return "an attempt failed, and nothing had gone wrong"
        if before is not None and before["status"] == after["status"]:
            return ""
        match after["status"]["S"]:
            case "expired":
                due = min(time_of(after, "start_by"), time_of(after, "expires_at"))
                return "" if self._now() + CLOCKS_DIFFER > due else "it was not due"
            case "cancelled":
                return "" if after["task_id"]["S"] in self.cancelled else "nobody asked for that"
            case "failed":
                return self._needless_failure(after)
        return ""

    def _needless_failure(self, item: Item) -> str:
        code, match = json.loads(item["error"]["S"])["code"], item.get("match_id", {}).get("S")
        mended_at = self._world.models.mended_at
        letter = (item["task_id"]["S"], int(item["generation"]["N"]))
        if self._world.poison.is_right(item, code):
            return ""
        match code:
            case "match-not-found":
                return (
                    "" if match == WITHDRAWN and self._world.bucket.switched_at is not None else f"{code}, of {match}"
                )
            case "model-failed":
                is_fresh = mended_at > self._world.scheduler.now - TROUBLE_LASTS
                fails = not is_answered(subject_of(item)) and (is_fresh or self.is_troubled())
                return "" if fails else f"{code}, and the model answers that"
            case "dead-lettered":
                return "" if letter in self.letters | self.discarded else f"{code}, and there never was a letter"
        if self._attempts(item) < MAX_ATTEMPTS:
            return f"{code} after {self._attempts(item)} attempts"
        return ""

    def is_troubled(self) -> bool:
        """Return whether something went wrong in the writing process lately."""
        environment = self._world.scheduler.me().environment
        return environment is not None and environment.trouble_at > self._world.scheduler.now - TROUBLE_LASTS

    def _attempts(self, item: Item | None) -> int:
        return int((item or {}).get("attempts", {"N": "0"})["N"])

    def _now(self) -> datetime:
        return self._world.scheduler.true_time()


def subject_of(item: Item) -> dict[str, Any]:
    """Return what a task asks for."""
    sent = json.loads(item["features"]["S"]) if "features" in item else None
    return {"match_id": item.get("match_id", {}).get("S"), "features": sent}


def needs_letter(item: Item) -> bool:
    """Return whether a task failed by no fault of its client, so that operators find its message."""
    return item["status"]["S"] == "failed" and json.loads(item["error"]["S"])["code"] not in _CLIENTS_FAULTS


def described(item: Item | None) -> str:
    """Return the state of a record in a few words."""
    if item is None:
        return "nothing"
    error = f" ({json.loads(item['error']['S'])['code']})" if "error" in item else ""
    return f"{item['status']['S']} g{item['generation']['N']}{error}"


def time_of(item: Any, name: str) -> datetime:
    """Return a time of a record; the end of all times where it has none."""
    if name not in item:
        return datetime(9000, 1, 1, tzinfo=UTC)
    return datetime.fromisoformat(item[name]["S"])


def _is_legal(before: Item | None, after: Item, *, given_up: bool) -> bool:
    later = int(after["generation"]["N"]) - (0 if before is None else int(before["generation"]["N"]))
    if before is None:
        # A record that was deleted by its time to live comes again only where its message still waits.
        return True
    status, following = before["status"]["S"], after["status"]["S"]
    if status == "queued":
        return later == 0
    # A discarded task stays failed, in a generation that no redrive of its letter reaches.
    return status == "failed" and later == 1 and (following == "queued" or (following == "failed" and given_up))
