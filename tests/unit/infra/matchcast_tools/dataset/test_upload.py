"""Publishing the dataset: files first, the manifest last, and nothing of it on a refusal."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pyarrow.parquet as pq
import pytest
from moto import mock_aws

from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.domain.manifests import DATASET_MANIFEST_KEY, DatasetManifest, FileEntry
from matchcast.errors import DigestMismatch, ManifestInvalid, ReleaseRaceLost
from matchcast.releases.publishing import read_manifest, switch_manifest, timed_id
from matchcast.snapshots.dataset import MATCHES_SCHEMA, ODDS_SCHEMA, read_dataset
from matchcast_tools.dataset.store import write_table
from matchcast_tools.dataset.upload import publish_dataset
from matchcast_tools.errors import BadInput, EnvironmentProblem
from matchcast_tools.stack.bucket import open_bucket
from matchcast_tools.stack.deployed import Stack
from tests.support.datasets import features_schema, write_dataset
from tests.support.objects import keys

NOW = datetime(2026, 11, 21, 7, tzinfo=UTC)
FILES = {"matches.parquet", "odds.parquet", "match_features.parquet"}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data"), played=60, fixtures=6)


@pytest.fixture
def objects() -> InMemoryObjects:
    return InMemoryObjects()


def content(objects: InMemoryObjects) -> dict[str, bytes]:
    return {key: objects.get(key).body for key in keys(objects)}  # type: ignore[union-attr]


def test_uploads_the_files_and_names_them_in_the_manifest(objects: InMemoryObjects, data_dir: Path) -> None:
    # WHEN
    published = publish_dataset(objects, data_dir, NOW)

    # THEN
    manifest, bodies = read_dataset(objects)
    assert manifest == published
    assert published.dataset_id.startswith("20261121T070000Z-")
    assert published.prefix == f"datasets/{published.dataset_id}/"
    assert set(published.files) == set(bodies) == FILES
    assert published.files["matches.parquet"].rows == 66
    assert published.files["match_features.parquet"].rows == 66
    assert bodies == {name: (data_dir / name).read_bytes() for name in FILES}


def test_says_what_the_latest_information_in_it_is(objects: InMemoryObjects, data_dir: Path) -> None:
    known = pq.read_table(data_dir / "match_features.parquet")["as_of"].to_pylist()
    assert publish_dataset(objects, data_dir, NOW).as_of == max(known)


def test_the_same_dataset_is_not_published_twice(objects: InMemoryObjects, data_dir: Path) -> None:
    first = publish_dataset(objects, data_dir, NOW)
    before = content(objects)
    assert publish_dataset(objects, data_dir, NOW + timedelta(hours=1)) == first
    assert content(objects) == before


def test_publishing_again_repairs_a_file_that_was_changed(objects: InMemoryObjects, data_dir: Path) -> None:
    manifest = publish_dataset(objects, data_dir, NOW)
    objects.put(manifest.prefix + "odds.parquet", b"changed")
    publish_dataset(objects, data_dir, NOW + timedelta(hours=1))
    assert read_dataset(objects)[1]["odds.parquet"] == (data_dir / "odds.parquet").read_bytes()


def test_another_dataset_takes_its_place_and_leaves_the_old_files(
    objects: InMemoryObjects, data_dir: Path, tmp_path: Path
) -> None:
    first = publish_dataset(objects, data_dir, NOW)
    other = publish_dataset(objects, write_dataset(tmp_path, played=40, fixtures=4), NOW + timedelta(hours=1))
    assert read_dataset(objects)[0] == other
    assert keys(objects, first.prefix)


def test_an_empty_dataset_is_refused(objects: InMemoryObjects, tmp_path: Path) -> None:
    write_table(tmp_path / "odds.parquet", ODDS_SCHEMA.empty_table())
    write_table(tmp_path / "matches.parquet", MATCHES_SCHEMA.empty_table())
    write_table(tmp_path / "match_features.parquet", features_schema().empty_table())
    with pytest.raises(BadInput, match="matchcast import"):
        publish_dataset(objects, tmp_path)
    assert content(objects) == {}


def test_a_missing_dataset_is_refused(objects: InMemoryObjects, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="matchcast import"):
        publish_dataset(objects, tmp_path)


def test_features_of_other_matches_are_refused(objects: InMemoryObjects, data_dir: Path, tmp_path: Path) -> None:
    for name in FILES:
        shutil.copy(data_dir / name, tmp_path / name)
    features = pq.read_table(tmp_path / "match_features.parquet")
    write_table(tmp_path / "match_features.parquet", features.slice(1))
    with pytest.raises(BadInput, match="matchcast features"):
        publish_dataset(objects, tmp_path)
    assert content(objects) == {}


def test_a_lost_race_leaves_the_winner(data_dir: Path, tmp_path: Path) -> None:
    # GIVEN another publisher who is faster
    theirs = publish_dataset(InMemoryObjects(), write_dataset(tmp_path, played=40, fixtures=0), NOW)

    class Raced(InMemoryObjects):
        def switch(self, key: str, body: bytes, etag: str | None) -> bool:
            self.put(key, theirs.body())
            return super().switch(key, body, etag)

    objects = Raced()
    # WHEN this one publishes
    # THEN the switch fails, and the manifest is the other one's
    with pytest.raises(ReleaseRaceLost):
        publish_dataset(objects, data_dir)
    assert content(objects)[DATASET_MANIFEST_KEY] == theirs.body()


def test_a_changed_file_is_found_before_it_is_parsed(objects: InMemoryObjects, data_dir: Path) -> None:
    manifest = publish_dataset(objects, data_dir, NOW)
    objects.put(manifest.prefix + "odds.parquet", b"PAR1")
    with pytest.raises(DigestMismatch, match=r"odds\.parquet"):
        read_dataset(objects)


def test_no_published_dataset_says_what_to_do(objects: InMemoryObjects) -> None:
    with pytest.raises(ManifestInvalid, match="matchcast snapshot"):
        read_dataset(objects)


def test_an_unreadable_manifest_may_be_replaced(objects: InMemoryObjects, data_dir: Path) -> None:
    objects.put(DATASET_MANIFEST_KEY, b"{")
    present = read_manifest(objects, DATASET_MANIFEST_KEY, DatasetManifest)
    assert present.manifest is None
    assert present.etag is not None
    published = publish_dataset(objects, data_dir, NOW)
    assert read_dataset(objects)[0] == published
    with pytest.raises(ReleaseRaceLost):
        switch_manifest(objects, DATASET_MANIFEST_KEY, published, present)


def test_ids_sort_by_time_and_differ_by_content() -> None:
    one, other = {"a": FileEntry.of(b"1")}, {"a": FileEntry.of(b"2")}
    ids = [timed_id(NOW, one), timed_id(NOW, one), timed_id(NOW, other), timed_id(NOW, one, also="x")]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3
    assert timed_id(NOW + timedelta(seconds=1), one) > max(ids)


class TestBucket:
    def stack(self, bucket: str) -> Stack:
        session: Any = boto3.session.Session()
        return Stack("test", "us-east-1", "http://api", None, {"DataBucketName": bucket}, session)

    @mock_aws
    def test_a_bucket_that_is_there_is_opened(self, data_dir: Path) -> None:
        boto3.client("s3").create_bucket(Bucket="there")
        objects: Any = open_bucket(self.stack("there"))
        assert publish_dataset(objects, data_dir, NOW) == read_dataset(objects)[0]

    @mock_aws
    def test_a_missing_bucket_says_what_to_do(self) -> None:
        with pytest.raises(EnvironmentProblem, match=r"not-there.*make up"):
            open_bucket(self.stack("not-there"))
