from __future__ import annotations

import json
from typing import Any

import pytest

from matchcast.adapters.parquet_snapshot import read_scorecard
from matchcast.domain.scorecard import Scorecard
from matchcast.errors import ManifestInvalid
from tests.support.snapshots import BOOKMAKER, a_scorecard, snapshot_files, snapshot_manifest

MANIFEST = snapshot_manifest(snapshot_files())
GOOD: dict[str, Any] = json.loads(a_scorecard().model_dump_json(by_alias=True))


def read(content: Any) -> dict[str, Any]:
    card: dict[str, Any] = json.loads(read_scorecard(MANIFEST, json.dumps(content).encode()))
    return card


def test_a_scorecard_is_answered_as_it_is_stored() -> None:
    assert read(GOOD) == GOOD


def test_a_later_writer_may_add_to_it() -> None:
    assert read({**GOOD, "mood": "good"}) == GOOD


def test_without_a_file_it_is_empty() -> None:
    card = Scorecard.model_validate_json(read_scorecard(MANIFEST, None))
    assert card == Scorecard.empty(BOOKMAKER)


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b"", "''"),
        (b"PAR1", "''"),
        (b"[]", "''"),
        (b"{}", "bookmaker"),
        (json.dumps({**GOOD, "rows": -1}).encode(), "rows"),
        (json.dumps({**GOOD, "base_rate": {**GOOD["base_rate"], "home": float("nan")}}).encode(), "base_rate.home"),
        (json.dumps({**GOOD, "seasons": [{**GOOD["overall"], "from": "soon"}]}).encode(), "seasons.0.from"),
    ],
)
def test_what_breaks_the_data_contract_is_refused_by_name_and_place(body: bytes, where: str) -> None:
    with pytest.raises(ManifestInvalid, match=f"scorecard.json.*{where}"):
        read_scorecard(MANIFEST, body)
