"""The indexes of the simulated tables, as the template makes them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.faults.expressions import Item
from tests.support.template import load


@dataclass(frozen=True)
class Index:
    """Which attributes an index is sorted by and has; None: all."""

    partition: str
    sort: str | None
    attributes: frozenset[str] | None


def order(index: Index, row: Item) -> tuple[Any, ...]:
    sort = row[index.sort] if index.sort else {"S": ""}
    value = float(sort["N"]) if "N" in sort else sort["S"]
    return value, row["pk"]["S"], row["sk"]["S"]


@cache
def indexes(resource: str) -> dict[str, Index]:
    """Return the indexes of one of the template's tables."""
    found = {}
    for index in load()["Resources"][resource]["Properties"].get("GlobalSecondaryIndexes", []):
        keys = {each["KeyType"]: each["AttributeName"] for each in index["KeySchema"]}
        partition, sort, projection = keys["HASH"], keys.get("RANGE"), index["Projection"]
        attributes = None
        if projection["ProjectionType"] != "ALL":
            attributes = frozenset({"pk", "sk", *keys.values(), *projection.get("NonKeyAttributes", [])})
        found[index["IndexName"]] = Index(partition, sort, attributes)
    return found
