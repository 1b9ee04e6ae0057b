"""The end of a schedule: every record, letter and result, looked at once more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from matchcast.errors import InvalidMessage
from matchcast.messages import decode
from tests.faults.bucket import REFRESH_SECONDS, SNAPSHOTS, VERSIONS, features, is_answered, is_close, right
from tests.faults.findings import CLOCKS_DIFFER, Findings, moment, short
from tests.faults.ledger import described, needs_letter, subject_of, time_of
from tests.faults.queues import Message

if TYPE_CHECKING:
    from tests.faults.world import World

_RELEASE_IS_KNOWN = timedelta(seconds=REFRESH_SECONDS + 1)
_PROMPT_SECONDS = 15.0


def close(world: World, letters: Sequence[Message]) -> None:
    """Add what is wrong after all has settled to the findings."""
    findings, witness = world.witness.findings, world.witness
    found: set[tuple[str, int]] = set()
    for letter in letters:
        try:
            task = decode(letter.body)
            found.add((task.task_id, task.generation))
        except InvalidMessage:
            continue
    items = list(world.table.items("task#"))
    for item in items:
        _close(world, item, found)
    if world.is_ageing:
        return
    bodies = {letter.body for letter in letters}
    findings.lost += [f"poison {body!r} is no dead letter" for body in sorted(witness.poison - bodies)]
    kept = [world.parsed(item["result"]["S"])["duration_ms"] for item in items if "result" in item]
    for request, prediction in witness.waited:
        if prediction["duration_ms"] not in kept:
            findings.changed.append(f"{request.how} was answered with a prediction that no task has")


def _close(world: World, item: Any, letters: set[tuple[str, int]]) -> None:
    task_id, generation, now = item["task_id"]["S"], int(item["generation"]["N"]), world.scheduler.true_time()
    findings, status = world.witness.findings, item["status"]["S"]
    if time_of(item, "expires_at") <= now + CLOCKS_DIFFER:
        return
    if status == "queued" and time_of(item, "start_by") > now:
        findings.stuck.append(f"{short(task_id)} is {described(item)}, and nothing will end it")
    if needs_letter(item) and (task_id, generation) not in letters | world.witness.ledger.discarded:
        findings.lost.append(f"the dead letter of {short(task_id)} {described(item)}")
    if status == "succeeded":
        parsed, subject = world.parsed(item["result"]["S"]), subject_of(item)
        check_result(world, findings, short(task_id), parsed, subject)
        took = (time_of(item, "completed_at") - time_of(item, "created_at")).total_seconds()
        if world.is_calm and generation == 0 and is_answered(subject) and took > _PROMPT_SECONDS:
            findings.stuck.append(f"{short(task_id)} took {took:.0f} s in calm weather")


def check_result(world: World, findings: Findings, what: str, found: dict[str, Any], subject: Any) -> None:
    """Check that a prediction is right, and was made by the release that was there when it was asked for."""
    is_old = world.bucket.has_new_model and VERSIONS.index(found["model"]["version"]) == 0
    if subject["features"] is not None:
        row = tuple(subject["features"].values())
    else:
        row = tuple(features(SNAPSHOTS.index(found["snapshot_id"]))[subject["match_id"]])
        is_old = is_old or SNAPSHOTS.index(found["snapshot_id"]) == 0
    if not is_close([found["home"], found["draw"], found["away"]], right(found["model"]["version"], row)):
        findings.changed.append(f"{what} has another result than its model gives")
    switched, asked_at = world.switched_at, found.get("asked_at") or moment(found["predicted_at"])
    is_late = switched is not None and asked_at > switched + _RELEASE_IS_KNOWN + CLOCKS_DIFFER
    if is_old and is_late and switched is not None and world.is_quiet(switched):
        findings.changed.append(f"{what} is by a release that was replaced long before")
