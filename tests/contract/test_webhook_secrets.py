"""Stores of signing secrets: in memory, and on DynamoDB and KMS, by the same tests; and what KMS is asked."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from matchcast.adapters.in_memory_webhooks import InMemorySecrets
from matchcast.adapters.kms_secrets import REMEMBERED_SECONDS, KMSSecrets
from matchcast.domain.webhook import SecretRecord
from matchcast.errors import RequestRefused, StorageUnavailable
from matchcast.webhooks.ports import SecretStore
from tests.support.tasks import NOW

VALUE = bytes(range(32))
LATER = NOW + timedelta(hours=1)


def a_secret(name: str, *, age: int = 0, **changes: Any) -> SecretRecord:
    return SecretRecord(secret_id=name, created_at=NOW - timedelta(seconds=age), **changes)


class Kept:
    """A store on moto, its parts, and how often KMS was asked."""

    def __init__(self, table: str) -> None:
        self.dynamodb, self.kms = boto3.client("dynamodb"), boto3.client("kms")
        self.table, self.key = table, str(self.kms.create_key()["KeyMetadata"]["KeyId"])
        self.clock = 0.0
        self.calls: Counter[str] = Counter()
        for name in ("Encrypt", "Decrypt"):
            self.kms.meta.events.register(f"before-call.kms.{name}", lambda model, **_: self.calls.update([model.name]))
        self.store = self.another()

    def another(self) -> KMSSecrets:
        """Return the store of another environment."""
        return KMSSecrets(self.dynamodb, self.table, self.kms, self.key, monotonic=lambda: self.clock)


@pytest.fixture
def kept(aws: dict[str, str]) -> Kept:
    return Kept(aws["WebhooksTableName"])


@pytest.fixture(params=["in memory", "kms"])
def store(request: pytest.FixtureRequest) -> SecretStore:
    return InMemorySecrets() if request.param == "in memory" else request.getfixturevalue("kept").store


def test_a_secret_comes_back_without_and_with_its_value(store: SecretStore) -> None:
    # GIVEN
    record = a_secret("first")

    # WHEN it is kept
    assert store.add("north", record, VALUE)

    # THEN for its tenant alone
    assert store.list("north") == [record]
    assert store.values("north", NOW) == [VALUE]
    assert (store.list("south"), store.values("south", NOW)) == ([], [])


def test_a_second_secret_with_an_id_loses(store: SecretStore) -> None:
    store.add("north", a_secret("first"), VALUE)

    assert not store.add("north", a_secret("first"), b"other")
    assert store.values("north", NOW) == [VALUE]


def test_secrets_are_listed_oldest_first_and_sign_newest_first(store: SecretStore) -> None:
    # GIVEN secrets in a mixed order
    for name, age in (("b", 5), ("c", 1), ("a", 3)):
        store.add("north", a_secret(name, age=age), name.encode())

    # THEN
    assert [each.secret_id for each in store.list("north")] == ["b", "a", "c"]
    assert store.values("north", NOW) == [b"c", b"a", b"b"]


def test_a_secret_signs_until_its_end(store: SecretStore) -> None:
    # GIVEN two secrets, of which one will end
    store.add("north", a_secret("old", age=9), b"old")
    store.add("north", a_secret("new"), b"new")

    # WHEN it is retired
    assert store.end("north", "old", LATER)

    # THEN
    assert [each.ends_at for each in store.list("north")] == [LATER, None]
    assert store.values("north", LATER - timedelta(milliseconds=1)) == [b"new", b"old"]
    assert store.values("north", LATER) == [b"new"]


def test_an_end_is_brought_forward_and_not_put_off(store: SecretStore) -> None:
    # GIVEN a secret that ends in an hour
    store.add("north", a_secret("first", ends_at=LATER), VALUE)

    # WHEN it is to end later, then now, then later again
    ends = []
    for at in (LATER + timedelta(hours=1), NOW, LATER):
        assert store.end("north", "first", at)
        ends.append(store.list("north")[0].ends_at)

    # THEN
    assert ends == [LATER, NOW, NOW]


def test_only_a_tenant_s_own_secret_ends(store: SecretStore) -> None:
    # GIVEN
    store.add("north", a_secret("first"), VALUE)

    # THEN
    assert not store.end("south", "first", NOW)
    assert not store.end("north", "second", NOW)
    assert store.list("south") == []
    assert store.values("north", NOW) == [VALUE]


def test_no_value_is_in_the_table(kept: Kept) -> None:
    kept.store.add("north", a_secret("first"), VALUE)

    items = kept.dynamodb.scan(TableName=kept.table)["Items"]
    assert VALUE not in repr(items).encode()
    assert not any(VALUE in value.get("B", b"") for item in items for value in item.values())


@pytest.mark.parametrize("moved", [{"pk": "tenant#south"}, {"sk": "secret#second"}])
def test_a_value_is_readable_under_its_own_tenant_and_id_alone(kept: Kept, moved: dict[str, str]) -> None:
    # GIVEN a secret that somebody copied in the table
    kept.store.add("north", a_secret("first"), VALUE)
    (item,) = kept.dynamodb.scan(TableName=kept.table)["Items"]
    kept.dynamodb.put_item(TableName=kept.table, Item={**item, **{name: {"S": key} for name, key in moved.items()}})

    # WHEN it is read
    # THEN
    with pytest.raises(RequestRefused, match="key of signing secrets"):
        kept.store.values("south" if "pk" in moved else "north", NOW)


def test_a_value_is_remembered_for_five_minutes(kept: Kept) -> None:
    # GIVEN two secrets
    kept.store.add("north", a_secret("first"), VALUE)
    kept.store.add("north", a_secret("second"), b"2")
    asked = []

    # WHEN they are read now and then
    for kept.clock in (0, 1, REMEMBERED_SECONDS - 1, REMEMBERED_SECONDS, REMEMBERED_SECONDS + 1):
        kept.store.values("north", NOW)
        asked.append(kept.calls["Decrypt"])

    # THEN
    assert asked == [2, 2, 2, 4, 4]
    assert kept.calls["Encrypt"] == 2


def test_an_end_counts_at_once_where_the_value_is_remembered(kept: Kept) -> None:
    # GIVEN a value that one environment remembers
    kept.store.add("north", a_secret("first"), VALUE)
    assert kept.store.values("north", NOW) == [VALUE]

    # WHEN another one ends the secret
    kept.another().end("north", "first", NOW)

    # THEN
    assert kept.store.values("north", NOW) == []


def test_ended_secrets_are_forgotten_after_a_day(kept: Kept) -> None:
    # GIVEN secrets, of which one has its end already, and one has none
    kept.store.add("north", a_secret("a", ends_at=LATER), VALUE)
    kept.store.add("north", a_secret("b"), VALUE)
    kept.store.add("north", a_secret("c"), VALUE)

    # WHEN another one ends
    kept.store.end("north", "b", NOW)

    # THEN
    items = kept.dynamodb.scan(TableName=kept.table)["Items"]
    day = timedelta(days=1)
    assert {item["sk"]["S"]: float(item["ttl"]["N"]) for item in items if "ttl" in item} == {
        "secret#a": (LATER + day).timestamp(),
        "secret#b": (NOW + day).timestamp(),
    }


@pytest.mark.parametrize(
    ("code", "is_defect"),
    [
        ("AccessDeniedException", True),
        ("NotFoundException", True),
        ("DisabledException", True),
        ("KMSInvalidStateException", True),
        ("ThrottlingException", False),
        ("KMSInternalException", False),
        ("DependencyTimeoutException", False),
    ],
)
def test_a_key_that_does_not_answer_is_unavailable(
    kept: Kept, code: str, is_defect: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a secret, and a key that then refuses
    kept.store.add("north", a_secret("first"), VALUE)

    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "Operation")

    for name in ("encrypt", "decrypt"):
        monkeypatch.setattr(kept.kms, name, refuse)

    # WHEN it is needed
    # THEN
    with pytest.raises(StorageUnavailable, match="key of signing secrets") as reading:
        kept.store.values("north", NOW)
    with pytest.raises(StorageUnavailable) as adding:
        kept.store.add("north", a_secret("second"), VALUE)
    assert (reading.value.is_defect, adding.value.is_defect) == (is_defect, is_defect)
    assert [each.secret_id for each in kept.store.list("north")] == ["first"]
