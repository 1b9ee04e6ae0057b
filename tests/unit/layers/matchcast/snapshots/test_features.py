"""Features and ids of a snapshot, the last good ones kept."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from matchcast.errors import (
    ManifestInvalid,
    ReleaseUnfit,
)
from matchcast.snapshots.features import FeatureRows, MatchIds
from tests.support.counted_releases import (
    IDS,
    Clock,
    CountingObjects,
    parse_fake,
    publish_snapshot,
    snapshots,
)


class TestFeatureRows:
    def test_returns_known_matches_in_the_order_of_the_signature(self, objects: CountingObjects, clock: Clock) -> None:
        publish_snapshot(objects, "s1")
        rows = FeatureRows(snapshots(objects, clock), objects, parse_fake).rows(
            [IDS[2], "e0-2026-01-01-no-body", IDS[0]], ["form", "elo"]
        )

        assert {match_id: list(row.values) for match_id, row in rows.items()} == {IDS[2]: [6, 5], IDS[0]: [2, 1]}
        assert rows[IDS[2]].as_of == datetime(1970, 1, 1, 0, 0, 2, tzinfo=UTC)
        assert rows[IDS[2]].snapshot_id == "s1"

    def test_no_match_is_no_row(self, objects: CountingObjects, clock: Clock) -> None:
        publish_snapshot(objects, "s1")
        assert FeatureRows(snapshots(objects, clock), objects, parse_fake).rows(["unknown"], ["elo"]) == {}

    def test_a_feature_that_the_snapshot_lacks_is_named(self, objects: CountingObjects, clock: Clock) -> None:
        publish_snapshot(objects, "s1")
        with pytest.raises(ReleaseUnfit, match="weather"):
            FeatureRows(snapshots(objects, clock), objects, parse_fake).rows([IDS[0]], ["elo", "weather"])

    def test_keeps_the_last_good_snapshot(self, objects: CountingObjects, clock: Clock) -> None:
        # GIVEN features that were read
        publish_snapshot(objects, "s1")
        features = FeatureRows(snapshots(objects, clock), objects, parse_fake)
        features.rows([IDS[0]], ["elo"])

        # WHEN a bad snapshot is published
        publish_snapshot(objects, "bad")
        clock.now += 30

        # THEN
        assert features.rows([IDS[0]], ["elo"])[IDS[0]].snapshot_id == "s1"
        assert isinstance(features.problem, ManifestInvalid)


class TestMatchIds:
    def test_knows_exactly_the_ids_of_the_snapshot(self, objects: CountingObjects, clock: Clock) -> None:
        # GIVEN a snapshot of many ids
        ids = tuple(sorted(f"e{n % 7}-2026-11-{n % 28 + 1:02d}-team{n * 37 % 100}-x" for n in range(50)))
        publish_snapshot(objects, "s1", ids)
        known = MatchIds(snapshots(objects, clock), objects)

        # WHEN its ids are looked up
        # THEN
        assert all(match_id in known for match_id in ids)

        # WHEN other texts are looked up
        # THEN
        without_features = [
            f"{ids[0]}x",
            ids[0][:-1],
            ids[-1] + "z",
            "",
            "a",
            "zz",
            f"{ids[0]}\n{ids[1]}",
            "\ud800",
            "é",
        ]
        assert not any(match_id in known for match_id in without_features)

    def test_reads_the_list_once(self, objects: CountingObjects, clock: Clock) -> None:
        publish_snapshot(objects, "s1")
        known = MatchIds(snapshots(objects, clock), objects)
        assert [match_id in known for match_id in IDS] == [True, True, True]
        assert len(objects.asked) == 2

    def test_an_empty_list_knows_nothing(self, objects: CountingObjects, clock: Clock) -> None:
        publish_snapshot(objects, "s1", ())
        assert IDS[0] not in MatchIds(snapshots(objects, clock), objects)

    def test_unsorted_lines_are_refused_and_the_last_good_list_stays(
        self, objects: CountingObjects, clock: Clock
    ) -> None:
        # GIVEN a list that was read
        publish_snapshot(objects, "s1")
        known = MatchIds(snapshots(objects, clock), objects)
        assert IDS[0] in known

        # WHEN an unsorted list is published
        publish_snapshot(objects, "s2", (IDS[1], IDS[0]))
        clock.now += 30

        # THEN
        assert IDS[2] in known
        assert isinstance(known.problem, ManifestInvalid)
