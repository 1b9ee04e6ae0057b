"""Every write of a batch and its parts, judged as it happens, and every batch once more at the end."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

from matchcast.adapters.batch_items import read_batch, read_part
from matchcast.batch_messages import decode_batch_message, decode_part
from matchcast.domain.batch import Batch, BatchKeys, BatchStatus, Part
from matchcast.errors import InvalidMessage, UnexpectedFault
from tests.faults.batch_files import Files, digest_of, judged
from tests.faults.batch_rows import Row
from tests.faults.expressions import Item
from tests.faults.findings import CLOCKS_DIFFER, short
from tests.faults.queues import Message

if TYPE_CHECKING:
    from tests.faults.world import World

_S = BatchStatus
_FOLLOWING = {
    _S.QUEUED: {_S.RUNNING, _S.FAILED, _S.CANCELLED, _S.CANCELLING},
    _S.RUNNING: {_S.RUNNING, _S.SUCCEEDED, _S.FAILED, _S.CANCELLING},
    _S.CANCELLING: {_S.CANCELLED, _S.FAILED},
}
_NEVER_CHANGES = ("tenant", "provenance", "created_at", "expires_at", "output_format")
_CHANGE_ONCE = ("total", "part_rows")
_PROMPT_SECONDS = 60.0
_DEAD_LETTERED = "dead-lettered"


class Batches:
    """What is known of batches, besides what clients were answered."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.is_on = world.rng.random() < world.plot.batches
        """Whether the schedule has any."""
        self.inputs: dict[tuple[str, str | None], tuple[Row, ...] | None] = {}
        """The rows of each uploaded version; None: nobody can read it."""
        self.asked: dict[str, tuple[Row, ...]] = {}
        """The rows of batches whose match ids came in the request."""
        self.cancelled: set[str] = set()
        """Batches that a client asked to cancel."""
        self.part_letters: set[tuple[str, int, int, str]] = set()
        """Parts with generations and causes of their letters."""
        self.counting: dict[str, str] = {}
        """Objects that count, by their keys, with their digests: nothing may ever change them."""
        self.files: dict[str, Files] = {}
        """The files of each batch as it last ended with some."""
        self._letters: set[tuple[str, int, str]] = set()
        self._parts: dict[str, dict[int, Part]] = defaultdict(dict)

    def written(self, before: Item | None, after: Item | None) -> None:
        """Judge a change of an item of the table."""
        item = after or before
        if item is None or not item["pk"]["S"].startswith("batch#"):
            self.world.witness.ledger.written(before, after)
        elif after is not None and item["sk"]["S"] == "batch":
            self._batch_written(read_batch(before) if before else None, read_batch(after))
        elif after is not None:
            self._part_written(before, after)

    def letter(self, message: Message, is_there: bool) -> None:
        """Take in that a letter has come, or is gone."""
        cause = message.cause or _DEAD_LETTERED
        with suppress(InvalidMessage):
            part = decode_part(message.body)
            self.part_letters.add((part.batch_id, part.number, part.generation, cause))
        with suppress(InvalidMessage):
            asked = decode_batch_message(message.body)
            self._letters.add((asked.batch_id, asked.generation, cause))
        self.world.witness.ledger.letter(message, is_there)

    def record(self, batch_id: str) -> Batch | None:
        """Return a record as it is now."""
        item = self.world.table.now_of((f"batch#{batch_id}", "batch"))
        return None if item is None else read_batch(item)

    def records(self) -> list[Batch]:
        """Return all records as they are now."""
        return [read_batch(item) for item in self.world.table.items("batch#") if item["sk"]["S"] == "batch"]

    def rows(self, batch: Batch) -> tuple[Row, ...] | None:
        """Return the rows of a batch; None: its input cannot be read."""
        file = batch.provenance.input
        if not file.key.startswith("batches/"):
            return self.inputs[file.key, file.version_id]
        if batch.batch_id not in self.asked:
            body = self.world.s3.stored[file.key].body
            self.asked[batch.batch_id] = tuple(
                Row(match_id=self.world.parsed(line)["match_id"]) for line in body.decode().splitlines()
            )
        return self.asked[batch.batch_id]

    def close(self) -> None:
        """Look at every batch once more after all has settled."""
        for batch in self.records():
            if batch.expires_at > self._now() + CLOCKS_DIFFER:
                self._close(batch)

    # Writes.

    def _batch_written(self, before: Batch | None, after: Batch) -> None:
        findings = self.world.witness.findings
        what = f"{short(after.batch_id)}: {_described(before)} -> {_described(after)}"
        if not _is_legal(before, after):
            findings.illegal.append(what)
        if before is not None and _is_other(before, after):
            findings.illegal.append(f"{what}: another batch")
        if (before is None or before.status is not after.status) and (why := self._needless(after)):
            findings.needless.append(f"{what}: {why}")
        is_begun = after.status is _S.RUNNING and (before is None or before.status is not _S.RUNNING)
        if is_begun:
            self._check_counts(after)
            if after.generation:
                self._fix(BatchKeys(after.batch_id).plan(after.generation))
        if after.status in (_S.SUCCEEDED, _S.CANCELLED) and after.total is not None:
            self._judge_files(after)

    def _part_written(self, before: Item | None, after: Item) -> None:
        batch_id, findings = after["pk"]["S"].removeprefix("batch#"), self.world.witness.findings
        old, new = read_part(before) if before else None, read_part(after)
        if old == new:
            if not self.world.witness.ledger.is_troubled():
                findings.needless.append(
                    f"an attempt of a part of {short(batch_id)} failed, and nothing had gone wrong"
                )
            return
        if new is None or (old is not None and new.generation <= old.generation):
            findings.illegal.append(f"{short(batch_id)}: {old!r} -> {new!r}")
            return
        self._parts[batch_id][new.number] = new
        batch = self.record(batch_id)
        if batch is not None:
            keys = BatchKeys(batch_id, batch.output_format)
            self._fix(keys.part_output(new), keys.part_errors(new))
        if batch is None or batch.status is not _S.RUNNING or batch.generation != new.generation:
            findings.illegal.append(f"{short(batch_id)} is {_described(batch)}, and part {new.number} ended")
        else:
            self._check_counts(batch)

    def object_written(self, key: str) -> None:
        """Judge that an object was written."""
        if self.counting.get(key, "") not in ("", digest_of(self.world.s3, key)):
            self.world.witness.findings.changed.append(f"another object was written over {key}")

    def _fix(self, *keys: str) -> None:
        for key in keys:
            if key not in self.world.s3.stored:
                self.world.witness.findings.lost.append(f"{key} counts, and is not there")
            self.counting[key] = digest_of(self.world.s3, key)

    def _check_counts(self, batch: Batch) -> None:
        """Compare the counts of a running batch with those of its parts."""
        parts = self._parts[batch.batch_id].values()
        present = [part for part in parts if part.generation == batch.generation]
        right = (
            sum(part.succeeded for part in parts),
            batch.invalid + sum(part.retriable for part in present),
            len(present),
        )
        found = batch.succeeded, batch.failed, batch.parts_done
        if found != right:
            self.world.witness.findings.changed.append(f"{short(batch.batch_id)} counts {found}, its parts {right}")

    def _judge_files(self, batch: Batch) -> None:
        findings, what, earlier = self.world.witness.findings, short(batch.batch_id), self.files.get(batch.batch_id)
        rows = self.rows(batch)
        if rows is None:
            findings.illegal.append(f"{what} is {batch.status}, and nobody can read its input")
            return
        found = judged(self, findings, batch, rows)
        if found is None:
            return
        self.files[batch.batch_id] = found
        self._fix(*found.keys)
        if earlier is not None and not earlier.predictions.items() <= found.predictions.items():
            findings.changed.append(f"{what} has other predictions than in an earlier generation")
        wrong = [row for row, code in found.errors.items() if code not in ("cancelled", "model-failed")]
        if self.world.is_calm and batch.status is _S.SUCCEEDED and len(wrong) != batch.invalid:
            findings.needless.append(f"{what}: rows failed in calm weather")

    def _needless(self, batch: Batch) -> str:
        """Return what a new state lacks as its cause; nothing where it has one."""
        if batch.status in (_S.CANCELLING, _S.CANCELLED):
            return "" if batch.batch_id in self.cancelled else "nobody asked for that"
        if batch.status is _S.FAILED and batch.error is not None:
            if batch.error.code == "input-refused":
                # Without its manifest there is no snapshot, and then a row with a match alone cannot be predicted.
                is_refused = self.rows(batch) is None or batch.provenance.snapshot_id is None
                return "" if is_refused else "its input can be read"
            if batch.error.code == UnexpectedFault.code:
                return "" if self.world.was_denied(self._now()) else "that is a defect"
            letter = (batch.batch_id, batch.generation, batch.error.code)
            return "" if letter in self._letters else f"no letter has the cause {batch.error.code}"
        return ""

    # The end.

    def _close(self, batch: Batch) -> None:
        findings, what = self.world.witness.findings, short(batch.batch_id)
        if not batch.status.is_final:
            findings.stuck.append(
                f"{what} is {_described(batch)} {batch.parts_done}/{batch.parts}, nothing will end it"
            )
        files = self.files.get(batch.batch_id)
        if batch.output_generation is not None and files is None:
            findings.lost.append(f"{what} has files, and never ended")
        if files is not None and files.digests != tuple(digest_of(self.world.s3, key) for key in files.keys):
            findings.changed.append(f"{what} has other files than when it ended")
        took = 0.0 if batch.completed_at is None else (batch.completed_at - batch.created_at).total_seconds()
        if self.world.is_calm and batch.generation == 0 and took > _PROMPT_SECONDS:
            findings.stuck.append(f"{what} took {took:.0f} s in calm weather")

    def _now(self) -> datetime:
        return self.world.scheduler.true_time()


def _described(batch: Batch | None) -> str:
    if batch is None:
        return "nothing"
    return f"{batch.status} g{batch.generation}{f' ({batch.error.code})' if batch.error else ''}"


def _is_legal(before: Batch | None, after: Batch) -> bool:
    if before is None:
        return after.status is _S.QUEUED and after.generation == 0
    if before.status.is_final:
        return after.status is _S.QUEUED and after.generation == before.generation + 1
    if before.status is _S.QUEUED and after.status is _S.CANCELLED and before.total is not None:
        return False
    return after.generation == before.generation and after.status in _FOLLOWING[before.status]


def _is_other(before: Batch, after: Batch) -> bool:
    fixed = any(getattr(before, name) != getattr(after, name) for name in _NEVER_CHANGES)
    return fixed or any(getattr(before, name) not in (None, getattr(after, name)) for name in _CHANGE_ONCE)
