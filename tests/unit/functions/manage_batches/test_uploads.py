"""Forms for uploads as clients meet them."""

from __future__ import annotations

from typing import Any

import pytest

from matchcast.domain.batch import MOST_BYTES
from tests.support.managed_batches import ManagedBatches

UPLOADS = "/predict/batch/uploads"


def pointers(problem: Any) -> list[str]:
    return [error["pointer"] for error in problem["errors"]]


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize(
    ("body", "ending"),
    [({"format": "csv"}, "csv"), ({"format": "jsonl", "gzip": True}, "jsonl.gz"), ({"format": "parquet"}, "parquet")],
)
def test_a_form_is_for_one_file_of_the_tenants_own(
    service: ManagedBatches, body: dict[str, Any], ending: str, slash: str
) -> None:
    answer = service.ask("POST", UPLOADS + slash, body)

    assert answer.status == 201
    assert answer.json["fields"] == {"key": answer.json["input"], "bytes": str(MOST_BYTES), "seconds": "3600"}
    assert answer.json["input"].startswith("input/north/")
    assert answer.json["input"].endswith(f".{ending}")
    assert answer.json["max_bytes"] == MOST_BYTES


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/format"),
        ({"format": "xlsx"}, "/format"),
        ({"format": None}, "/format"),
        ({"format": ["csv"]}, "/format"),
        ({"format": "CSV"}, "/format"),
        ({"format": "csv", "gzip": "true"}, "/gzip"),
        ({"format": "csv", "gzip": 1}, "/gzip"),
        ({"format": "parquet", "gzip": True}, "/gzip"),
        ({"format": "csv", "key": "input/south/x"}, "/key"),
        ("[]", ""),
        ("", ""),
    ],
)
def test_a_form_for_something_else_is_a_422(service: ManagedBatches, body: Any, pointer: str) -> None:
    answer = service.ask("POST", UPLOADS, body)

    assert (answer.status, pointers(answer.json)) == (422, [pointer])
