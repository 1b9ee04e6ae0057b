"""Signing secrets: made here, shown once, five at most, and retired while two sign side by side."""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

import pytest

from matchcast.adapters.in_memory_webhooks import InMemorySecrets
from matchcast.domain.webhook import DeliveryState, SecretRecord
from matchcast.errors import RequestRefused, SecretNotFound, TooManySecrets
from matchcast.webhooks.secrets import MOST_KEPT, ManageSecrets, is_live
from matchcast.webhooks.signing import sign
from tests.support.tasks import NOW
from tests.support.webhooks import World, an_event


def signature(secret: str, event_id: str, timestamp: str, body: bytes) -> str:
    """Return what a receiver computes from the secret that it was shown."""
    value = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(value, f"{event_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def test_the_signature_is_that_of_the_example_of_standard_webhooks() -> None:
    # GIVEN the example of the libraries of Standard Webhooks
    value = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

    # WHEN
    header = sign([value], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')

    # THEN
    assert header == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_two_secrets_sign_side_by_side_until_the_older_one_ends() -> None:
    # GIVEN a tenant that rotates its secret
    world = World()
    world.secrets = InMemorySecrets()
    manage = ManageSecrets(world.secrets, world.now)
    _, old = manage.create("north")
    world.clock += timedelta(seconds=1)
    _, new = manage.create("north", retire_others_in=3_600)

    # WHEN one event is sent within the hour and one after it
    world.submit(an_event())
    world.run()
    world.clock += timedelta(seconds=3_600)
    world.submit(an_event())
    world.run()

    # THEN
    (_, _, first, first_body), (_, _, second, second_body) = world.receiver.posts
    both = {signature(each, first["webhook-id"], first["webhook-timestamp"], first_body) for each in (old, new)}
    assert set(first["webhook-signature"].split()) == both
    alone = signature(new, second["webhook-id"], second["webhook-timestamp"], second_body)
    assert second["webhook-signature"] == alone
    changed = signature(new, second["webhook-id"], second["webhook-timestamp"], second_body[:-1] + b" ")
    assert changed != alone


def test_each_attempt_is_signed_anew_with_its_own_time() -> None:
    # GIVEN
    world = World()
    world.receiver.answers = (500, 200)

    # WHEN
    world.submit(an_event())
    world.run()

    # THEN
    secret = base64.b64encode(b"k" * 32).decode()
    for at, _, headers, body in world.receiver.posts:
        assert headers["webhook-timestamp"] == str(int(at.timestamp()))
        expected = signature(secret, headers["webhook-id"], headers["webhook-timestamp"], body)
        assert headers["webhook-signature"] == expected


def test_without_a_secret_nothing_is_sent_and_the_schedule_goes_on() -> None:
    # GIVEN a tenant whose only secret has ended
    world, event = World(), an_event()
    manage = ManageSecrets(world.secrets, world.now)
    manage.end("north", "first")
    assert not manage.has_live("north")

    # WHEN it makes one after the first three attempts
    world.submit(event)
    world.run_for(timedelta(minutes=10))
    assert [each.error for each in world.delivery(event).attempts] == ["no-secret"] * 3
    assert not world.receiver.posts
    manage.create("north")
    world.run()

    # THEN
    assert world.delivery(event).state is DeliveryState.DELIVERED
    assert world.receiver.times == [2_105]
    assert not world.endpoints.list("north")


def test_a_secret_that_cannot_be_read_fails_its_attempts_and_the_event_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a key that refuses what the table holds
    world, event = World(), an_event()

    def refused(*arguments: object) -> None:
        raise RequestRefused("not encrypted by this key")

    monkeypatch.setattr(world.secrets, "values", refused)

    # WHEN
    world.submit(event)
    world.run()

    # THEN
    delivery = world.delivery(event)
    assert (delivery.state, delivery.tried) == (DeliveryState.FAILED, 10)
    assert {each.error for each in delivery.attempts} == {"request-refused"}


def test_five_secrets_live_at_most_and_each_value_is_shown_once() -> None:
    # GIVEN
    store = InMemorySecrets()
    manage = ManageSecrets(store, lambda: NOW)
    made = [manage.create("north") for _ in range(5)]

    # WHEN
    with pytest.raises(TooManySecrets):
        manage.create("north")
    with pytest.raises(TooManySecrets):
        manage.create("north", retire_others_in=60)
    manage.end("north", made[0][0].secret_id)
    made.append(manage.create("north"))

    # THEN
    values = {shown for _, shown in made}
    assert len(values) == 6
    assert all(len(base64.b64decode(shown.removeprefix("whsec_"))) == 32 for shown in values)
    assert len(store.values("north", NOW)) == 5
    assert not any(shown.removeprefix("whsec_") in repr(manage.list("north")) for shown in values)
    assert manage.create("south")


def test_all_others_can_be_retired_at_once_also_when_there_are_five() -> None:
    # GIVEN
    store = InMemorySecrets()
    manage = ManageSecrets(store, lambda: NOW)
    for _ in range(5):
        manage.create("north")

    # WHEN
    record, _ = manage.create("north", retire_others_in=0)

    # THEN
    assert [each.secret_id for each in store.list("north") if each.ends_at is None] == [record.secret_id]
    assert len(store.values("north", NOW)) == 1


def test_a_retirement_never_prolongs_a_secret_and_an_ended_one_stays_as_it_is() -> None:
    # GIVEN a secret that ends in a minute
    store = InMemorySecrets()
    manage = ManageSecrets(store, lambda: NOW)
    old, _ = manage.create("north")
    manage.create("north", retire_others_in=60)

    # WHEN
    manage.create("north", retire_others_in=3_600)

    # THEN
    ends = {each.secret_id: each.ends_at for each in manage.list("north")}
    assert ends[old.secret_id] == NOW + timedelta(seconds=60)
    first = manage.end("north", old.secret_id)
    later = ManageSecrets(store, lambda: NOW + timedelta(days=1))
    assert later.end("north", old.secret_id).ends_at == first.ends_at == NOW
    for tenant, secret_id in [("south", old.secret_id), ("north", "unknown")]:
        with pytest.raises(SecretNotFound):
            manage.end(tenant, secret_id)


@pytest.mark.parametrize("retire_others_in", [None, 0, 60])
def test_secrets_that_are_made_at_once_are_five_at_most(retire_others_in: int | None) -> None:
    # GIVEN ten requests, each of which reads the secrets before any other has made one
    store, read = InMemorySecrets(), threading.Barrier(10)
    old, _ = ManageSecrets(store, lambda: NOW).create("north")
    manage = ManageSecrets(_ReadTogether(store, read), lambda: NOW)

    def create(_: int) -> str:
        with suppress(TooManySecrets):
            return manage.create("north", retire_others_in)[0].secret_id
        return old.secret_id

    # WHEN
    with ThreadPoolExecutor(10) as threads:
        made = set(threads.map(create, range(10))) - {old.secret_id}

    # THEN what was shown is live, and something always signs
    live = {each.secret_id for each in store.list("north") if is_live(each, NOW)}
    assert made == live - {old.secret_id}
    assert 1 <= len(live) <= 5


def test_a_tenant_cannot_fill_the_table_with_secrets_that_have_ended() -> None:
    # GIVEN
    store = InMemorySecrets()
    manage = ManageSecrets(store, lambda: NOW)
    for _ in range(MOST_KEPT):
        manage.create("north", retire_others_in=0)

    # WHEN
    with pytest.raises(TooManySecrets, match="a day"):
        manage.create("north", retire_others_in=0)

    # THEN the last one still signs, and others make theirs
    assert len(store.list("north")) == MOST_KEPT
    assert len(store.values("north", NOW)) == 1
    manage.create("south")


class _ReadTogether(InMemorySecrets):
    """Secrets whose first reader waits for the other ones."""

    def __init__(self, store: InMemorySecrets, read: threading.Barrier) -> None:
        vars(self).update(vars(store))
        self._read, self._own = read, threading.local()

    def list(self, tenant: str) -> Sequence[SecretRecord]:
        found = super().list(tenant)
        if not hasattr(self._own, "seen"):
            self._own.seen = True
            self._read.wait(10)
        return found
