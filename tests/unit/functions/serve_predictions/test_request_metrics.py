"""Requests are counted by how they ended, and the age of the snapshot is reported."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.support.http_events import Answer
from tests.support.serving import Service

if TYPE_CHECKING:
    import pytest

Get = Callable[..., Answer]


def test_requests_are_counted_by_how_they_ended(service: Service, get: Get, capsys: pytest.CaptureFixture[str]) -> None:
    # WHEN one request succeeds, one asks for an unknown match, and one finds no snapshot
    get("/predict/predictions/")
    get("/predict/precomputed/no-such-match")
    service.objects.put("snapshots/manifest.json", b"")
    service.restart()
    get("/predict/cards/")
    # THEN
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    counted = [line for line in lines if "prediction_requests_total" in line]
    assert [(line["source"], line["stage"], line["outcome"]) for line in counted] == [
        ("precomputed", "champion", "succeeded"),
        ("precomputed", "champion", "rejected"),
        ("precomputed", "unknown", "failed"),
    ]


def test_the_age_of_the_snapshot_is_reported_once_a_look_into_the_bucket(
    service: Service, get: Get, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(3):
        get("/predict/predictions/")
    service.later()
    get("/predict/odds/")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "snapshot_age_seconds" in line]
    assert [line["snapshot_age_seconds"] for line in lines] == [[300.0], [331.0]]
