"""Object stores: in memory and on S3, by the same tests."""

from __future__ import annotations

import boto3
import pytest

from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.adapters.s3_objects import S3Objects
from matchcast.errors import StorageUnavailable
from matchcast.ports import ObjectStore


@pytest.fixture(params=["in memory", "s3"])
def objects(request: pytest.FixtureRequest) -> ObjectStore:
    if request.param == "in memory":
        return InMemoryObjects()
    names = request.getfixturevalue("aws")
    return S3Objects(boto3.client("s3"), names["DataBucketName"])


def test_an_object_comes_back_byte_for_byte(objects: ObjectStore) -> None:
    objects.put("a/b", b"\x00\xff")
    found = objects.get("a/b")

    assert found is not None
    assert found.body == b"\x00\xff"


def test_a_missing_object_is_none(objects: ObjectStore) -> None:
    assert objects.get("nothing/here") is None


def test_a_conditional_read_answers_only_when_something_changed(objects: ObjectStore) -> None:
    objects.put("manifest", b"one")
    first = objects.get("manifest")
    assert first is not None

    assert objects.get_if_changed("manifest", first.etag) is None
    objects.put("manifest", b"two")
    second = objects.get_if_changed("manifest", first.etag)

    assert second is not None
    assert second.body == b"two"


def test_a_conditional_read_of_nothing_is_a_key_error(objects: ObjectStore) -> None:
    with pytest.raises(KeyError):
        objects.get_if_changed("nothing/here", '"etag"')


def test_a_switch_wins_only_over_the_version_that_was_read(objects: ObjectStore) -> None:
    assert objects.switch("manifest", b"one", None)
    assert not objects.switch("manifest", b"other", None)
    read = objects.get("manifest")
    assert read is not None
    assert objects.switch("manifest", b"two", read.etag)
    assert not objects.switch("manifest", b"three", read.etag)

    present = objects.get("manifest")
    assert present is not None
    assert present.body == b"two"


def test_keys_are_listed_by_prefix_in_order(objects: ObjectStore) -> None:
    for key in ("models/2", "models/1", "snapshots/1"):
        objects.put(key, b"")

    assert list(objects.list_keys("models/")) == ["models/1", "models/2"]


def test_a_missing_bucket_is_out_of_reach_and_no_crash(aws: dict[str, str]) -> None:
    objects = S3Objects(boto3.client("s3"), f"{aws['DataBucketName']}-gone")

    for call in (
        lambda: objects.get("a"),
        lambda: objects.put("a", b""),
        lambda: objects.switch("a", b"", None),
        lambda: objects.list_keys("a"),
        lambda: objects.get_if_changed("a", '"e"'),
    ):
        with pytest.raises(StorageUnavailable, match="data bucket"):
            call()
