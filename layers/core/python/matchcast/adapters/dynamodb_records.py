"""The other items of the tasks table: lane speeds, idempotency keys and cached predictions.

Items (`pk`, `sk`): `lane#<priority>`, `speed`; `circuit#<cause>`, `circuit`; `key#<tenant>#<digest of the key>`, `key`;
`predict:<match_id>:<run_id>`, `prediction`. The last two have a `ttl`, and because DynamoDB deletes late,
every reader checks when they expire. A key expires with its task, to the millisecond; `ttl` is in whole seconds.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from matchcast.adapters.aws_errors import error_code, unavailable_as
from matchcast.domain.prediction import Prediction
from matchcast.domain.task import Priority
from matchcast.errors import MatchcastError, StorageUnavailable
from matchcast.ports import KeyRecord

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]

KEPT = timedelta(days=1)
"""How long it is kept what a circuit did last."""


class _Records:
    """Single items of one table."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def _get(self, key: Item, *, consistent: bool = False) -> Item | None:
        with unavailable_as(StorageUnavailable, f"The tasks table {self._table}"):
            return self._client.get_item(TableName=self._table, Key=key, ConsistentRead=consistent).get("Item")

    def _put(self, item: Item, **condition: Any) -> bool:
        with unavailable_as(StorageUnavailable, f"The tasks table {self._table}"):
            try:
                self._client.put_item(TableName=self._table, Item=item, **condition)
            except ClientError as error:
                if error_code(error) == "ConditionalCheckFailedException":
                    return False
                raise
        return True


class DynamoDBSpeeds(_Records):
    """`LaneSpeeds` in the tasks table."""

    def read(self, lane: Priority) -> float | None:
        """Return the seconds, or None where nothing is known."""
        item = self._get(_lane_key(lane))
        return float(item["seconds"]["N"]) if item else None

    def write(self, lane: Priority, seconds: float) -> None:
        """Publish the seconds."""
        self._put({**_lane_key(lane), "seconds": {"N": f"{seconds:.3f}"}})


class DynamoDBCircuits(_Records):
    """Which circuits of workers are open, as the last worker said whose circuit opened or closed."""

    def read(self, cause: str) -> tuple[str, str, datetime] | None:
        """Return code and detail of what opened a circuit, and when; None for a closed one."""
        item = self._get(_circuit_key(cause))
        if item is None or "code" not in item:
            return None
        return item["code"]["S"], item["detail"]["S"], datetime.fromisoformat(item["at"]["S"])

    def write(self, cause: str, problem: MatchcastError | None, now: datetime) -> None:
        """Note why a circuit opened; None: that it closed."""
        why = {} if problem is None else {"code": {"S": problem.code}, "detail": {"S": problem.detail[:1000]}}
        self._put({**_circuit_key(cause), "at": {"S": now.isoformat()}, "ttl": _seconds(now + KEPT), **why})


class DynamoDBKeys(_Records):
    """`IdempotencyKeys` in the tasks table."""

    def find(self, tenant: str, key: str, now: datetime) -> KeyRecord | None:
        """Return the record of a key that has not expired, read consistently."""
        item = self._get(_idempotency_key(tenant, key), consistent=True)
        if item is None or float(item["expires_at"]["N"]) <= now.timestamp():
            return None
        return KeyRecord(
            task_id=item["task_id"]["S"],
            fingerprint=item["fingerprint"]["S"],
            created_at=datetime.fromisoformat(item["created_at"]["S"]),
        )

    def claim(self, tenant: str, key: str, record: KeyRecord, expires_at: datetime) -> bool:
        """Put a record unless the key has one that has not expired at the new one's creation; False if it has."""
        return self._put(
            {
                **_idempotency_key(tenant, key),
                "task_id": {"S": record.task_id},
                "fingerprint": {"S": record.fingerprint},
                "created_at": {"S": record.created_at.isoformat()},
                "expires_at": _milliseconds(expires_at),
                "ttl": _seconds(expires_at + timedelta(seconds=1)),
            },
            ConditionExpression="attribute_not_exists(pk) OR expires_at <= :now",
            ExpressionAttributeValues={":now": _milliseconds(record.created_at)},
        )


class DynamoDBResults(_Records):
    """`ResultCache` in the tasks table."""

    def find(self, match_id: str, run_id: str, now: datetime) -> Prediction | None:
        """Return a prediction that has not expired."""
        item = self._get(_prediction_key(match_id, run_id))
        if item is None or int(item["ttl"]["N"]) <= now.timestamp():
            return None
        return Prediction.model_validate_json(item["prediction"]["S"])

    def keep(self, prediction: Prediction, expires_at: datetime) -> None:
        """Keep a prediction of a match."""
        key = _prediction_key(str(prediction.match_id), prediction.model.run_id)
        self._put({**key, "prediction": {"S": prediction.model_dump_json()}, "ttl": _seconds(expires_at)})


def _lane_key(lane: Priority) -> Item:
    return {"pk": {"S": f"lane#{lane}"}, "sk": {"S": "speed"}}


def _circuit_key(cause: str) -> Item:
    return {"pk": {"S": f"circuit#{cause}"}, "sk": {"S": "circuit"}}


def _idempotency_key(tenant: str, key: str) -> Item:
    digest = hashlib.sha256(key.encode()).hexdigest()
    return {"pk": {"S": f"key#{tenant}#{digest}"}, "sk": {"S": "key"}}


def _prediction_key(match_id: str, run_id: str) -> Item:
    return {"pk": {"S": f"predict:{match_id}:{run_id}"}, "sk": {"S": "prediction"}}


def _milliseconds(moment: datetime) -> Item:
    return {"N": f"{moment.timestamp():.3f}"}


def _seconds(moment: datetime) -> Item:
    return {"N": str(int(moment.timestamp()))}
