"""Signing secrets in the table of webhooks, encrypted by KMS for their tenant and their id alone.

`webhook_items` has the layout of the table. Who may encrypt (`add`) need not be able to decrypt (`values`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from matchcast.adapters.aws_errors import unavailable_as
from matchcast.adapters.backoff import Backoff
from matchcast.adapters.batch_items import moment
from matchcast.adapters.marked_writes import Item, MarkedWrites
from matchcast.adapters.webhook_items import read_moment, tenant_pk, ttl
from matchcast.domain.webhook import SecretRecord
from matchcast.errors import StorageUnavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEPT = timedelta(days=1)
"""How long a secret is kept after its end."""
REMEMBERED_SECONDS = 300
"""How long a decrypted value stays in memory: KMS is asked once for all the messages of a tenant in that time."""
_MOST_REMEMBERED = 1000
_KIND = "secret#"


class KMSSecrets:
    """A `SecretStore` on the table of webhooks and a key of KMS; its client's type is in no stub of this project."""

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        kms: Any,
        key_id: str,
        *,
        backoff: Callable[[], Backoff] = Backoff,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._table = table
        self._name = f"The table of webhooks {table}"
        self._writes = MarkedWrites(client, table, self._name, backoff)
        self._kms = kms
        self._key_id = key_id
        self._monotonic = monotonic
        self._remembered: dict[tuple[str, str], tuple[bytes, float]] = {}
        self._lock = threading.Lock()

    def list(self, tenant: str) -> Sequence[SecretRecord]:
        """Return a tenant's secrets without their values, oldest first, read consistently."""
        return sorted(map(_read, self._items(tenant)), key=_age)

    def add(self, tenant: str, record: SecretRecord, value: bytes) -> bool:
        """Keep a secret, encrypted for its tenant; False if there is one with this id."""
        with unavailable_as(StorageUnavailable, "The key of signing secrets"):
            answer = self._kms.encrypt(
                KeyId=self._key_id, Plaintext=value, EncryptionContext=_context(tenant, record.secret_id)
            )
        item = {
            **_key(tenant, record.secret_id),
            "created_at": moment(record.created_at),
            "encrypted": {"B": answer["CiphertextBlob"]},
        }
        if record.ends_at is not None:
            item |= {"ends_at": moment(record.ends_at), "ttl": ttl(record.ends_at + KEPT)}
        return self._writes.put(item)

    def end(self, tenant: str, secret_id: str, ends_at: datetime) -> bool:
        """Let a secret end, unless it ends earlier already; False if the tenant has none with this id."""
        key = _key(tenant, secret_id)
        changed = self._writes.change(
            key,
            "ends_at = :at, #ttl = :ttl",
            condition="attribute_exists(pk) AND (attribute_not_exists(ends_at) OR ends_at > :at)",
            values={":at": moment(ends_at), ":ttl": ttl(ends_at + KEPT)},
            names={"#ttl": "ttl"},
        )
        return changed or self._writes.item(key) is not None

    def values(self, tenant: str, now: datetime) -> Sequence[bytes]:
        """Return the values of the live secrets, newest first. Only the function that signs may call this."""
        items = sorted(self._items(tenant), key=lambda item: _age(_read(item)), reverse=True)
        live = [item for item in items if "ends_at" not in item or now < read_moment(item["ends_at"])]
        return [self._value(tenant, item) for item in live]

    def _value(self, tenant: str, item: Item) -> bytes:
        secret_id = _read(item).secret_id
        now = self._monotonic()
        with self._lock:
            known = self._remembered.get((tenant, secret_id))
        if known is not None and now < known[1]:
            return known[0]
        with unavailable_as(StorageUnavailable, "The key of signing secrets"):
            answer = self._kms.decrypt(
                KeyId=self._key_id,
                CiphertextBlob=item["encrypted"]["B"],
                EncryptionContext=_context(tenant, secret_id),
            )
        value: bytes = answer["Plaintext"]
        with self._lock:
            if len(self._remembered) >= _MOST_REMEMBERED:
                self._remembered.clear()
            self._remembered[tenant, secret_id] = value, now + REMEMBERED_SECONDS
        return value

    def _items(self, tenant: str) -> Sequence[Item]:
        with unavailable_as(StorageUnavailable, self._name):
            pages = self._client.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND begins_with(sk, :secret)",
                ExpressionAttributeValues={":pk": tenant_pk(tenant), ":secret": {"S": _KIND}},
                ConsistentRead=True,
            )
            return [item for page in pages for item in page["Items"]]


def _key(tenant: str, secret_id: str) -> Item:
    return {"pk": tenant_pk(tenant), "sk": {"S": _KIND + secret_id}}


def _context(tenant: str, secret_id: str) -> dict[str, str]:
    return {"tenant": tenant, "secret_id": secret_id}


def _read(item: Item) -> SecretRecord:
    return SecretRecord(
        secret_id=item["sk"]["S"].removeprefix(_KIND),
        created_at=read_moment(item["created_at"]),
        ends_at=read_moment(item["ends_at"]) if "ends_at" in item else None,
    )


def _age(record: SecretRecord) -> tuple[datetime, str]:
    return record.created_at, record.secret_id
