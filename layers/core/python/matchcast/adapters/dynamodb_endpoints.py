"""Callback addresses that fail or are disabled, in the table of webhooks (`webhook_items` has its layout)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from matchcast.adapters.aws_errors import error_code, unavailable_as
from matchcast.adapters.backoff import Backoff
from matchcast.adapters.batch_items import moment
from matchcast.adapters.marked_writes import Item, MarkedWrites
from matchcast.adapters.webhook_items import read_moment, tenant_pk, ttl
from matchcast.domain.webhook import FAILURES_APART, Endpoint
from matchcast.errors import StorageUnavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEPT = timedelta(days=90)
"""How long an address is remembered after its last failure."""
MOST_LISTED = 1000
_ENDPOINT = "endpoint#"
_ID = re.compile(r"[0-9a-f]{32}")


class DynamoDBEndpoints:
    """An `EndpointStore` on the table of webhooks."""

    def __init__(self, client: DynamoDBClient, table: str, backoff: Callable[[], Backoff] = Backoff) -> None:
        self._client = client
        self._table = table
        self._name = f"The table of webhooks {table}"
        self._writes = MarkedWrites(client, table, self._name, backoff)

    def get(self, tenant: str, url: str) -> Endpoint | None:
        """Return what is known of an address, read consistently; None: it has not failed lately."""
        return self.find(tenant, endpoint_id(url))

    def list(self, tenant: str) -> Sequence[Endpoint]:
        """Return the addresses of a tenant that fail or are disabled, a thousand at most, read consistently."""
        with unavailable_as(StorageUnavailable, self._name):
            pages = self._client.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND begins_with(sk, :endpoint)",
                ExpressionAttributeValues={":pk": tenant_pk(tenant), ":endpoint": {"S": _ENDPOINT}},
                ConsistentRead=True,
                PaginationConfig={"MaxItems": MOST_LISTED},
            )
            return [_read(item) for page in pages for item in page["Items"]]

    def find(self, tenant: str, endpoint_id: str) -> Endpoint | None:
        """Return what is known of the address with an id, read consistently; None: it has not failed lately."""
        # What a client makes up may be longer than a key.
        item = self._writes.item(_key(tenant, endpoint_id)) if _ID.fullmatch(endpoint_id) else None
        return None if item is None else _read(item)

    def failed(self, tenant: str, url: str, now: datetime) -> Endpoint:
        """Note a failure: `failing_since` is set if it is not, or if the last failure was `FAILURES_APART` ago."""
        goes_on = "attribute_not_exists(pk) OR attribute_exists(disabled_at) OR failed_at >= :recent"
        is_new = "attribute_not_exists(failed_at) OR failed_at < :recent"
        with unavailable_as(StorageUnavailable, self._name):
            item = self._fails(tenant, url, now, "if_not_exists(failing_since, :now)", goes_on)
            item = item or self._fails(tenant, url, now, ":now", is_new)
        # Refused twice: another worker has begun the new outage in between.
        return _read(item) if item is not None else self.failed(tenant, url, now)

    def works(self, tenant: str, url: str) -> None:
        """Forget failures: it answered well, or its tenant enables it."""
        with unavailable_as(StorageUnavailable, self._name):
            self._writes.asked(self._client.delete_item, TableName=self._table, Key=_key(tenant, endpoint_id(url)))

    def _fails(self, tenant: str, url: str, now: datetime, since: str, condition: str) -> Item | None:
        """Write a failure and return the whole item; None if the condition does not hold."""
        try:
            answer = self._writes.asked(
                self._client.update_item,
                TableName=self._table,
                Key=_key(tenant, endpoint_id(url)),
                UpdateExpression=f"SET failing_since = {since}, failed_at = :now, "
                "tenant = :tenant, #url = :url, #ttl = :ttl",
                ConditionExpression=condition,
                ExpressionAttributeNames={"#url": "url", "#ttl": "ttl"},
                ExpressionAttributeValues={
                    ":now": moment(now),
                    ":recent": moment(now - FAILURES_APART),
                    ":tenant": {"S": tenant},
                    ":url": {"S": url},
                    ":ttl": ttl(now + KEPT),
                },
                ReturnValues="ALL_NEW",
            )
        except ClientError as error:
            if error_code(error) == "ConditionalCheckFailedException":
                return None
            raise
        item: Item = answer["Attributes"]
        return item

    def disable(self, endpoint: Endpoint, now: datetime) -> bool:
        """Disable an address that still fails since the same time; False if it does not, or is disabled already."""
        if endpoint.failing_since is None:
            return False
        return self._writes.change(
            _key(endpoint.tenant, endpoint.endpoint_id),
            "disabled_at = :now, #ttl = :ttl",
            condition="failing_since = :since AND attribute_not_exists(disabled_at)",
            names={"#ttl": "ttl"},
            values={":now": moment(now), ":since": moment(endpoint.failing_since), ":ttl": ttl(now + KEPT)},
        )


def endpoint_id(url: str) -> str:
    """Return the id of a callback address."""
    return hashlib.sha256(url.encode()).hexdigest()[:32]


def _key(tenant: str, endpoint_id: str) -> Item:
    return {"pk": tenant_pk(tenant), "sk": {"S": _ENDPOINT + endpoint_id}}


def _read(item: Item) -> Endpoint:
    url = item["url"]["S"]
    times = {name: read_moment(item[name]) for name in ("failing_since", "disabled_at") if name in item}
    return Endpoint(endpoint_id=endpoint_id(url), tenant=item["tenant"]["S"], url=url, **times)
