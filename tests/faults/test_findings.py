"""That findings can be trusted: what is illegal, needless, changed or lost is found, and nothing else."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from matchcast.messages import encode
from tests.faults.bucket import CURSED, WITHDRAWN
from tests.faults.findings import KINDS
from tests.faults.poison import Kind
from tests.faults.queues import Message
from tests.faults.requests import Request
from tests.faults.stage import Stage
from tests.support.tasks import NOW, a_task


def a_record(**changes: Any) -> dict[str, Any]:
    """Return a record as the table has it."""
    task = a_task(match_id="e0-2026-03-01-alder-birch")
    texts = {"pk": "task#1", "sk": "task", "task_id": "1", "status": "queued", "tenant": task.tenant}
    record: dict[str, Any] = {name: {"S": text} for name, text in texts.items()}
    record |= {"match_id": {"S": task.match_id}, "generation": {"N": "0"}, "attempts": {"N": "0"}}
    record |= {name: {"S": getattr(task, name).isoformat()} for name in ("created_at", "expires_at")}
    for name, value in changes.items():
        record[name] = {"N": str(value)} if isinstance(value, int) else {"S": value}
    return record


def failed(code: str, **changes: Any) -> dict[str, Any]:
    return a_record(status="failed", error=json.dumps({"code": code}), **changes)


# The ledger.


@pytest.mark.parametrize(
    ("before", "after", "kind", "finding"),
    [
        (a_record(), a_record(status="succeeded", generation=1), "illegal", "queued g0 -> succeeded g1"),
        (a_record(status="cancelled"), a_record(status="succeeded"), "illegal", "cancelled g0 -> succeeded g0"),
        (failed("model-failed"), a_record(), "illegal", "failed g0 (model-failed) -> queued g0"),
        (a_record(), a_record(tenant="south"), "illegal", "another request"),
        (a_record(), a_record(status="expired"), "needless", "it was not due"),
        (a_record(), a_record(status="cancelled"), "needless", "nobody asked for that"),
        (a_record(), a_record(attempts=1), "needless", "nothing had gone wrong"),
        (a_record(), failed("match-not-found"), "needless", "match-not-found, of"),
        (a_record(), failed("model-failed"), "needless", "the model answers that"),
        (a_record(), failed("dead-lettered"), "needless", "there never was a letter"),
        (a_record(), failed("storage-unavailable"), "needless", "after 0 attempts"),
        (a_record(), None, "lost", "was deleted before its time"),
    ],
)
def test_a_write_that_is_illegal_or_has_no_cause_is_noticed(
    before: dict[str, Any], after: dict[str, Any] | None, kind: str, finding: str
) -> None:
    stage = Stage()

    stage.play(lambda: stage.world.witness.ledger.written(before, after))

    assert finding in " ".join(getattr(stage.findings, kind))


def test_the_steps_of_the_lifecycle_with_their_causes_are_no_findings() -> None:
    # GIVEN a world with a cause for every end
    stage = Stage()
    ledger = stage.world.witness.ledger
    ledger.cancelled.add("1")
    ledger.letters.add(("1", 0))
    stage.world.bucket.switched_at = 0

    def act() -> None:
        stage.world.scheduler.pause(20)
        stage.world.calls.trouble("a fault")

        # WHEN each of them is written
        for before, after in (
            (None, a_record()),
            (a_record(), a_record(attempts=1)),
            (a_record(), a_record(status="cancelled")),
            (a_record(), a_record(status="expired", start_by=(NOW + timedelta(seconds=10)).isoformat())),
            (a_record(match_id=WITHDRAWN), failed("match-not-found", match_id=WITHDRAWN)),
            (a_record(match_id=CURSED), failed("model-failed", match_id=CURSED)),
            (a_record(), failed("dead-lettered")),
            (a_record(attempts=3), failed("model-unavailable", attempts=3)),
            (failed("model-failed"), a_record(generation=1)),
        ):
            ledger.written(before, {**after, "start_by": after["start_by"]} if "start_by" in after else after)

    # THEN
    stage.play(act)
    assert stage.findings.lines() == []


def test_a_letter_that_nobody_gave_up_must_not_go() -> None:
    stage = Stage()

    stage.world.witness.ledger.letter(Message("message-1", "a", 0, 0), False)

    assert stage.findings.lost == ["message-1 is deleted, and no operator asked for that"]


# Poison.


@pytest.mark.parametrize(
    ("record", "cause", "kind", "finding"),
    [
        (None, None, "lost", "has no record"),
        ({"status": "succeeded"}, None, "illegal", "succeeded, and not as"),
        ({"status": "expired"}, None, "illegal", "expired, and not as"),
        ({"status": "failed"}, "stage-not-found", "needless", "is buried, by the fault of its request"),
        ({"status": "failed"}, None, None, ""),
        ({"status": "failed"}, "storage-unavailable", None, ""),
        ({"status": "succeeded", "generation": 1}, None, None, ""),
    ],
)
def test_poison_that_can_be_read_has_one_right_end(
    record: dict[str, Any] | None, cause: str | None, kind: str | None, finding: str
) -> None:
    # GIVEN a message with a stage that does not exist
    stage = Stage()
    poison, table = stage.world.poison, stage.world.table
    task = a_task(task_id="1", stage="nowhere")
    poison.sent["1"] = task, Kind({"stage": "nowhere"}, code="stage-not-found")
    letter = Message("message-1", encode(task), 0, 0, {"cause": {"StringValue": cause}} if cause else {})

    table.on_write = lambda _before, _after: None

    def act() -> None:
        if record is not None:
            table.handle("PutItem", {"Item": a_record(**record)})

        # WHEN it has ended
        poison.close([letter])

    # THEN
    stage.play(act)
    assert [name for name in KINDS if getattr(stage.findings, name)] == ([kind] if kind else [])
    assert finding in " ".join(stage.findings.lines())


def test_an_end_that_poison_must_have_needs_no_other_cause() -> None:
    # GIVEN a message with a stage that does not exist
    stage = Stage()
    stage.world.poison.sent["1"] = a_task(task_id="1"), Kind({"stage": "nowhere"}, code="stage-not-found")

    def act() -> None:
        # WHEN its task fails for that, and when it fails as if nothing were published
        # THEN only the second is a finding
        stage.world.witness.ledger.written(None, failed("stage-not-found"))
        assert stage.findings.lines() == []
        stage.world.witness.ledger.written(None, failed("model-not-published"))
        assert "after 0 attempts" in stage.findings.needless[0]

    stage.play(act)


# The witness.


def seen(**changes: Any) -> dict[str, Any]:
    task = {"task_id": "1", "status": "queued", "generation": 0, "attempts": 0, "start_by": None}
    times = {"created_at": NOW.isoformat(), "expires_at": (NOW + timedelta(days=1)).isoformat()}
    return {**task, **times, **changes}


def test_the_witness_distinguishes_a_changed_state_from_a_redrive_and_from_a_late_answer() -> None:
    # GIVEN a witness that saw a failed task
    stage = Stage()
    witness, scheduler = stage.world.witness, stage.world.scheduler

    def act() -> None:
        witness.saw(seen(status="failed"), scheduler.true_time())
        scheduler.pause(1)

        # WHEN it sees an answer to an older request, and a redriven task
        # THEN it finds nothing
        witness.saw(seen(), NOW)
        witness.saw(seen(generation=1), scheduler.true_time())
        assert stage.findings.lines() == []

        # WHEN it sees another final state of the same generation
        # THEN
        witness.saw(seen(status="succeeded"), scheduler.true_time())
        assert stage.findings.changed == ["..1: failed g0 became succeeded g0"]

    stage.play(act)


def test_a_list_has_every_task_once_and_in_order() -> None:
    # GIVEN two tasks of which clients know
    stage = Stage()
    witness, scheduler = stage.world.witness, stage.world.scheduler
    request = Request("submit", "north", "submit_prediction", "POST", "/predict/async/")

    def act() -> None:
        for number in ("1", "2"):
            witness.accepted(request, seen(task_id=number), NOW)
        scheduler.pause(20)
        now = scheduler.true_time()

        # WHEN they are listed as they should be
        # THEN
        witness.listed("north", [[seen(task_id="2")], [seen(task_id="1")]], now)
        assert stage.findings.lines() == []

        # WHEN one is missing, or comes twice, or is another tenant's
        # THEN
        witness.listed("north", [[seen(task_id="2")]], now)
        witness.listed("north", [[seen(task_id="2"), seen(task_id="2"), seen(task_id="1")]], now)
        witness.listed("south", [[seen(task_id="2")]], now)
        assert stage.findings.lost == ["..1 is missing from a list"]
        assert [text.split(" ", 1)[0] for text in stage.findings.changed] == ["a", "..2"]

    stage.play(act)
