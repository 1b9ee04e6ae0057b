"""The manifest of a new snapshot says what it is made of, and stays with its files."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.adapters.parquet_features import parse_features
from matchcast.domain.manifests import SNAPSHOT_MANIFEST_KEY, SnapshotManifest
from matchcast.releases.readers import ManifestReader
from matchcast.snapshots.features import FeatureRows, MatchIds
from tests.support.datasets import FEATURES
from tests.support.refreshes import NOW, dataset_table, refresh, table


class TestManifest:
    def test_names_every_file_with_its_rows(self, objects: InMemoryObjects) -> None:
        # WHEN a snapshot is made
        manifest = refresh(objects)
        rows = {name: entry.rows for name, entry in manifest.files.items()}

        # THEN
        assert set(rows) == {
            "predictions.parquet",
            "odds.parquet",
            "region_roi.parquet",
            "scorecard.json",
            "match_features.parquet",
            "match_ids.txt",
        }
        assert rows["match_ids.txt"] == rows["match_features.parquet"] == 630
        assert rows["region_roi.parquet"] == len(table(objects, manifest, "region_roi.parquet")) > 0
        assert manifest.snapshot_id.startswith("20261121T070000Z-")
        assert manifest.prefix == f"snapshots/{manifest.snapshot_id}/"
        assert manifest.model.stage == "champion"

    def test_is_as_of_the_latest_information_but_never_of_the_future(
        self, objects: InMemoryObjects, data_dir: Path
    ) -> None:
        known = max(dataset_table(data_dir, "odds")["taken_at"].to_pylist()) - timedelta(days=1)
        assert refresh(objects).as_of == known
        early = known - timedelta(days=100)
        assert refresh(objects, now=early).as_of == early

    def test_names_the_newest_result_and_one_from_before_it_was_named_is_read(
        self, objects: InMemoryObjects, data_dir: Path
    ) -> None:
        # GIVEN
        matches = dataset_table(data_dir, "matches").to_pylist()
        played = sorted(match["date"] for match in matches if match["status"] == "played")
        # WHEN
        manifest = refresh(objects)
        # THEN it is of the last match that was played, also where the clock is behind the data
        assert manifest.newest_result == played[-1]
        early = datetime(played[0].year, played[0].month, played[0].day, 12, tzinfo=UTC)
        assert refresh(objects, now=early).newest_result == played[0]
        # THEN a manifest without it is one
        older = manifest.model_dump(mode="json", exclude={"newest_result"})
        assert SnapshotManifest.parse(json.dumps(older).encode(), "x").newest_result is None

    def test_is_what_the_readers_read(self, objects: InMemoryObjects) -> None:
        manifest = refresh(objects)
        reader = ManifestReader(objects, SNAPSHOT_MANIFEST_KEY, SnapshotManifest, 30)
        match_id = table(objects, manifest, "predictions.parquet")["match_id"][0].as_py()

        assert match_id in MatchIds(reader, objects)
        row = FeatureRows(reader, objects, parse_features).rows([match_id], FEATURES)[match_id]
        assert row.snapshot_id == manifest.snapshot_id

    def test_the_same_inputs_give_the_same_snapshot_byte_for_byte(self, objects: InMemoryObjects) -> None:
        first = refresh(objects)
        assert refresh(objects) == first
        assert refresh(objects, now=NOW + timedelta(hours=1)).files == first.files


def test_a_snapshot_that_is_replaced_keeps_its_manifest_with_its_files(objects: InMemoryObjects) -> None:
    first = refresh(objects)
    assert objects.get(first.kept_key) is None

    refresh(objects, now=NOW + timedelta(hours=1))

    kept = objects.get(f"{first.prefix}manifest.json")
    assert kept is not None
    assert kept.body == first.body()
