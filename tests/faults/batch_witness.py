"""What clients were answered about batches, and whether all of it holds."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from tests.faults.batch_rows import Row
from tests.faults.findings import CLOCKS_DIFFER, moment, short
from tests.support.http_events import Answer

if TYPE_CHECKING:
    from tests.faults.requests import Request
    from tests.faults.world import World

Seen = dict[str, Any]
_INDEX_IS_READY = timedelta(seconds=5)
_FINAL = ("succeeded", "failed", "cancelled")


class BatchWitness:
    """Remembers answers, and compares later ones with them."""

    def __init__(self, world: World) -> None:
        self.promised: dict[str, tuple[str, Seen]] = {}
        """Batches that a client saw a 202 of, with their tenants."""
        self._world = world
        self._findings = world.witness.findings
        self._promised_at: dict[str, datetime] = {}
        self._by_key: dict[tuple[str, str, str], tuple[str, datetime]] = {}
        self._final: dict[tuple[str, int], tuple[datetime, Seen]] = {}
        self._generations: dict[str, tuple[datetime, int]] = {}

    def accepted(self, how: str, request: Request, batch: Seen, began: datetime) -> None:
        """Take in the batch of a 202, which has to be the one that its key stands for."""
        batch_id, now = batch["batch_id"], self._now()
        if self._world.batches.record(batch_id) is None:
            self._findings.lost.append(f"{short(batch_id)} was accepted, and has no record")
        if how == "submit":
            self.promised.setdefault(batch_id, (request.tenant, batch))
            self._promised_at.setdefault(batch_id, now)
            if "match_ids" in request.body:
                rows = tuple(Row(match_id=match_id) for match_id in request.body["match_ids"])
                if self._world.batches.asked.setdefault(batch_id, rows) != rows:
                    self._findings.changed.append(f"{short(batch_id)} stands for two requests")
            elif batch["provenance"]["input"]["key"] != request.body["input"]:
                self._findings.changed.append(f"{short(batch_id)} has another input than was asked for")
        if request.key is not None:
            mine = request.tenant, request.key, request.content
            known, until = self._by_key.setdefault(mine, (batch_id, moment(batch["expires_at"])))
            if known != batch_id and began < until - CLOCKS_DIFFER:
                self._findings.changed.append(f"{request.key} stands for {short(known)} and {short(batch_id)}")
        self.saw(batch, began)

    def refused(self, how: str, request: Request, answer: Answer, began: datetime) -> None:
        """Take in a refusal, which needs a cause."""
        known = self._by_key.get((request.tenant, str(request.key), request.content))
        if known is not None and answer.status not in (404, 410, 429) and began < known[1] - CLOCKS_DIFFER:
            self._findings.changed.append(f"{request.key} stood for {short(known[0])}, then: {answer.status}")
        if answer.status in (404, 410) and how == "retry":
            self.missed(request.path.split("/")[3], answer.status)
        elif answer.status == 429:
            mine = [each for each in self._world.batches.records() if each.tenant == request.tenant]
            ended = timedelta(seconds=5)
            if all(each.completed_at is not None and each.completed_at + ended < began for each in mine):
                self._findings.needless.append(f"429 for {request.tenant}, which has no open batch")
        elif answer.status == 409 and how == "retry":
            self._refused_retry(request.path.split("/")[3], answer, began)
        elif answer.status != 409:
            self._findings.needless.append(f"{answer.status} for {request.path}: {answer.json['detail']}")

    def _refused_retry(self, batch_id: str, answer: Answer, began: datetime) -> None:
        batch = self._world.batches.record(batch_id)
        if batch is None or batch.completed_at is None or batch.completed_at + CLOCKS_DIFFER > began:
            return
        has_rows = batch.total is None or batch.failed + batch.cancelled > batch.invalid
        is_refused = batch.error is not None and batch.error.code == "input-refused"
        if has_rows and not is_refused:
            self._findings.needless.append(f"{short(batch_id)} has rows to retry: {answer.json['detail']}")

    def saw(self, batch: Seen, began: datetime) -> None:
        """Take in a batch as a client sees it."""
        batch_id, generation, status, counts = batch["batch_id"], batch["generation"], batch["status"], batch["counts"]
        what = f"{short(batch_id)}, {status} g{generation},"
        if counts["total"] is not None and (
            counts["queued"] < 0 or sum(counts[name] for name in counts if name != "total") != counts["total"]
        ):
            self._findings.changed.append(f"{what} counts {counts}")
        seen_at, highest = self._generations.get(batch_id, (self._now(), generation))
        if generation < highest and began > seen_at:
            self._findings.changed.append(f"{what} was in generation {highest} before")
        self._generations[batch_id] = self._now(), max(highest, generation)
        final = self._final.get((batch_id, generation))
        if final is not None and began > final[0] and (status, counts) != final[1]["about"]:
            self._findings.changed.append(f"{what} was {final[1]['about']} before")
        if status in _FINAL:
            self._final.setdefault((batch_id, generation), (self._now(), {"about": (status, counts)}))
        if status == "succeeded" and counts["queued"]:
            self._findings.changed.append(f"{what} has {counts['queued']} queued rows")
        self._check_links(batch, what)

    def missed(self, batch_id: str, status: int) -> None:
        """Take in that a batch cannot be read."""
        if batch_id in self.promised and self._now() + CLOCKS_DIFFER < self._end(batch_id):
            self._findings.lost.append(f"{short(batch_id)} is answered with {status} before its time")

    def listed(self, tenant: str, ids: list[str], began: datetime) -> None:
        """Take in all ids of a list."""
        if sorted(set(ids), reverse=True) != ids:
            self._findings.changed.append("a list of batches is in no order, or has one twice")
        for batch_id, (owner, _) in self.promised.items():
            if owner == tenant and self._promised_at[batch_id] + _INDEX_IS_READY < began:
                if batch_id not in ids and self._now() + CLOCKS_DIFFER < self._end(batch_id):
                    self._findings.lost.append(f"{short(batch_id)} is missing from a list of batches")
            elif owner != tenant and batch_id in ids:
                self._findings.changed.append(f"{short(batch_id)} is in the list of another tenant")

    def close(self) -> None:
        """Find what was promised and is not there."""
        for batch_id in self.promised:
            if self._world.batches.record(batch_id) is None and self._now() + CLOCKS_DIFFER < self._end(batch_id):
                self._findings.lost.append(f"{short(batch_id)} was accepted, and is gone")

    def _check_links(self, batch: Seen, what: str) -> None:
        links = [batch["links"][name] for name in ("output", "errors")]
        for part in batch.get("parts") or ():
            links += [part["links"][name] for name in ("output", "errors")]
        for link in links:
            if link is not None and unquote(urlsplit(link).path).removeprefix("/") not in self._world.s3.stored:
                self._findings.lost.append(f"{what} has a link to nothing: {link}")

    def _end(self, batch_id: str) -> datetime:
        return moment(self.promised[batch_id][1]["expires_at"])

    def _now(self) -> datetime:
        return self._world.scheduler.true_time()
