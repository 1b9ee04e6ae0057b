"""That findings about callbacks can be trusted: what must not happen to events, deliveries and secrets is noticed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from matchcast.adapters.webhook_items import attempt_name, new_delivery
from matchcast.domain.webhook import Attempt, Event
from matchcast.webhooks.signing import signed_headers
from tests.faults.expressions import Item, Unmodelled, updated
from tests.faults.receivers import WORKS, Receiver
from tests.faults.scheduler import Environment
from tests.faults.stage import Stage
from tests.faults.wire import client
from tests.support.tasks import NOW

URL = "https://receiver.example.com/"
TASK = "019ca945-0000-7000-8000-000000000001"
EVENT = f"evt_{TASK.replace('-', '')}_0"
KEY = (f"subject#{TASK.replace('-', '')}", f"event#{EVENT}")
SECRET = b"s" * 32


def final_task(status: str = "failed", generation: int = 0) -> Item:
    """Return a task with a callback as the stream shows it."""
    return {
        "pk": {"S": f"task#{TASK}"},
        "sk": {"S": "task"},
        "tenant": {"S": "north"},
        "status": {"S": status},
        "generation": {"N": str(generation)},
        "callback_url": {"S": URL},
    }


def event(**changes: Any) -> Event:
    body = json.dumps({"type": "task.failed", "data": {"task_id": TASK, "generation": 0}})
    about: dict[str, Any] = {"event_id": EVENT, "tenant": "north", "type": "task.failed", "subject": "task"}
    return Event(
        **{**about, "subject_id": TASK, "generation": 0, "url": URL, "occurred_at": NOW, "body": body, **changes}
    )


def delivery(attempts: tuple[Attempt, ...] = (), tried: int | None = None, **changes: Any) -> Item:
    """Return the record of a delivery with some attempts."""
    made = {attempt_name(each): {"S": each.model_dump_json(exclude_none=True)} for each in attempts}
    count = len(attempts) if tried is None else tried
    found = {**new_delivery(event(), NOW), "tried": {"N": str(count)}, "attempts": {"M": made}, **changes}
    return {name: value for name, value in found.items() if value is not None}


def attempt(number: int = 1, status: int | None = None, *, ended: bool = True) -> Attempt:
    return Attempt(number=number, series=0, started_at=NOW, ended_at=NOW if ended else None, status=status)


def at(seconds: float) -> dict[str, str]:
    return {"N": str(NOW.timestamp() + seconds)}


def state(name: str, *, is_looked_at: bool = False) -> dict[str, Any]:
    kept = {"S": "0"} if is_looked_at else None
    return {"state": {"S": name}, "next_attempt_at": None, "look_at": None, "due_shard": kept}


def on_stage() -> Stage:
    """Return a world with callbacks, and a task that has ended."""
    stage = Stage()
    stage.world.callbacks.is_on = True
    stage.world.callbacks.subject_written(None, final_task())
    return stage


CLAIMED = delivery((attempt(ended=False),))
STEPS: list[tuple[Item | None, Item, str]] = [
    (None, delivery(), ""),
    (None, {**delivery(), "type": {"S": "task.succeeded"}}, "it was Final"),
    (None, {**delivery(), "event_id": {"S": f"{EVENT}1"}}, "there is no such final state"),
    (None, CLAIMED, "it has begun already"),
    (delivery(), CLAIMED, ""),
    (CLAIMED, delivery((attempt(ended=False), attempt(2, ended=False))), "has not ended"),
    (delivery(), delivery((attempt(ended=False),), tried=2), "does not wait for that attempt"),
    (delivery(next_attempt_at=at(60)), CLAIMED, "too early"),
    (CLAIMED, delivery((attempt(status=204),), **state("delivered")), ""),
    (CLAIMED, delivery((attempt(status=500),), **state("delivered")), "did not take it"),
    (CLAIMED, delivery((attempt(status=204),), **state("delivered", is_looked_at=True)), "goes on looking"),
    (CLAIMED, delivery((attempt(status=500),), next_attempt_at=at(5)), ""),
    (CLAIMED, delivery((attempt(status=500),), next_attempt_at=at(5), due_shard=None), "will not find it"),
    (CLAIMED, delivery((attempt(),), next_attempt_at=at(7)), "the next attempt is in 7 s"),
    (CLAIMED, delivery((attempt(status=500),), next_attempt_at=at(7)), ""),  # by its Retry-After
    (CLAIMED, delivery((attempt(status=410),), next_attempt_at=at(5)), "goes on after 410"),
    (CLAIMED, delivery((attempt(status=410),), **state("stopped")), ""),
    (CLAIMED, delivery((attempt(status=500),), **state("failed")), "there are attempts left"),
    (CLAIMED, delivery((attempt(status=500),), **state("refused")), "nobody refused"),
    (CLAIMED, delivery((attempt(status=500),), **state("disabled")), "its endpoint is not disabled"),
    (delivery(**state("failed")), {**delivery(), "series": {"N": "1"}}, "nobody asked for a replay"),
    (delivery(), {**delivery(), "body": {"S": "{}"}}, "another event"),
]


@pytest.mark.parametrize(("before", "after", "finding"), STEPS)
def test_steps_of_a_delivery_that_are_wrong_are_noticed(before: Item | None, after: Item, finding: str) -> None:
    # WHEN the record of its event is written
    stage = on_stage()
    stage.play(lambda: stage.world.callbacks.written(before, after))

    # THEN
    found = stage.findings.lines()
    assert len(found) == bool(finding)
    assert finding in " ".join(found)


def _sent_twice(stage: Stage, post: Callable[..., None]) -> None:
    post()
    post()


def _never_ended(stage: Stage, post: Callable[..., None]) -> None:
    stage.world.callbacks.finals.clear()
    post()


def _of_another(stage: Stage, post: Callable[..., None]) -> None:
    stage.world.keys.secrets["south", "2"] = b"t" * 32
    stage.world.callbacks.signatures.written({"pk": {"S": "tenant#south"}, "sk": {"S": "secret#2"}})
    post(secrets=[SECRET, b"t" * 32])


def _ended(stage: Stage, post: Callable[..., None]) -> None:
    ends = {"ends_at": at(-60)}
    stage.world.callbacks.signatures.written({"pk": {"S": "tenant#north"}, "sk": {"S": "secret#1"}, **ends})
    post()


@pytest.mark.parametrize(
    ("act", "finding"),
    [
        (lambda _, post: post(), ""),
        (_sent_twice, "more often than attempts were begun"),
        (_never_ended, "is no final state that ever was"),
        (lambda _, post: post(tenant="south"), "somebody else"),
        (lambda _, post: post(body=event().body.replace("failed", "expired").encode()), "and says"),
        (lambda _, post: post(secrets=[b"unknown"]), "a signature that no secret makes"),
        (lambda _, post: post(moment=NOW - timedelta(hours=1)), "signed for another time"),
        (_of_another, "a secret of another tenant"),
        (_ended, "a secret that has ended"),
    ],
)
def test_requests_that_receivers_should_not_see_are_noticed(
    act: Callable[[Stage, Callable[..., None]], None], finding: str
) -> None:
    # GIVEN an event whose first attempt was begun, and a secret of its tenant
    stage = on_stage()
    callbacks = stage.world.callbacks
    stage.world.keys.secrets["north", "1"] = SECRET
    callbacks.signatures.written({"pk": {"S": "tenant#north"}, "sk": {"S": "secret#1"}})
    callbacks.written(delivery(), CLAIMED)

    def post(
        tenant: str = "north", secrets: Any = (SECRET,), moment: datetime = NOW, body: bytes = event().body.encode()
    ) -> None:
        headers = signed_headers(secrets, EVENT, moment, body)
        callbacks.posted(Receiver(URL, tenant, WORKS, 0.0), headers, body)

    # WHEN it is sent
    act(stage, post)
    # THEN
    assert bool(stage.findings) is bool(finding)
    assert finding in " ".join(stage.findings.lines())


def test_events_that_are_lost_pending_or_end_without_a_cause_are_found_in_the_end() -> None:
    # GIVEN an event, in several states, of a receiver that works and got nothing
    expected = {
        "nothing": "has no record",
        "pending": "nothing will end it",
        "delivered": "is delivered at one that works",
        "stopped": "is stopped at one that works",
    }
    for name, finding in expected.items():
        stage = on_stage()
        stage.world.receivers.all[URL] = Receiver(URL, "north", WORKS, 0.0)
        if name != "nothing":
            item = delivery(**({} if name == "pending" else state(name)))
            stage.world.webhooks._versions.clear()
            stage.world.webhooks.on_write = lambda _before, _after: None
            stage.world.webhooks.write((KEY, item))

        # WHEN all has settled
        stage.world.callbacks.close()

        # THEN
        assert any(finding in line for line in stage.findings.lines()), name


def test_the_key_gives_a_secret_back_to_its_own_function_and_context_alone() -> None:
    # GIVEN a secret
    stage = Stage()
    stage.environment = Environment("manage_webhooks 1")
    context = {"tenant": "north", "secret_id": "1"}

    def act() -> None:
        kms = client("kms")
        blob = kms.encrypt(KeyId="signing", Plaintext=SECRET, EncryptionContext=context)["CiphertextBlob"]

        # WHEN functions decrypt it
        # THEN
        with pytest.raises(ClientError, match="AccessDenied"):
            kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)
        stage.environment.name = "deliver_webhooks 1"
        assert kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"] == SECRET
        with pytest.raises(ClientError, match="InvalidCiphertext"):
            kms.decrypt(CiphertextBlob=blob, EncryptionContext={**context, "tenant": "south"})

    stage.play(act)


def test_the_stream_lets_final_states_with_a_callback_through_and_nothing_else() -> None:
    # GIVEN writes of tasks
    stage = Stage()
    without = {name: value for name, value in final_task().items() if name != "callback_url"}

    # WHEN they reach the stream
    for image in (final_task(), final_task("queued"), without, final_task("expired", 1)):
        stage.world.stream.add(None, image)

    # THEN those of one item are in one shard, in order
    shards: list[Any] = stage.world.stream._shards
    states = [[record["dynamodb"]["NewImage"]["status"]["S"] for record in each] for each in shards]
    assert sorted(states) == [[], ["failed", "expired"]]


def test_updates_reach_into_maps_and_go_through_no_missing_one() -> None:
    # GIVEN an item with a map
    item: dict[str, Any] = {"pk": {"S": "x"}, "attempts": {"M": {"0-1": {"S": "old"}, "0-2": {"S": "kept"}}}}
    names, values = {"#a": "attempts", "#new": "0-3", "#old": "0-1"}, {":new": {"S": "new"}}

    # WHEN entries of the map are set and removed
    after = updated("SET #a.#new = :new REMOVE #a.#old", item, names, values)

    # THEN
    assert after["attempts"] == {"M": {"0-2": {"S": "kept"}, "0-3": {"S": "new"}}}
    assert item["attempts"]["M"].keys() == {"0-1", "0-2"}
    with pytest.raises(Unmodelled):
        updated("SET #b.#new = :new", item, {**names, "#b": "nothing"}, values)
