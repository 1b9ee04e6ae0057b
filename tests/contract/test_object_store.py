"""Object stores: in memory and on S3, by the same tests."""

from __future__ import annotations

import io
import ssl
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber
from urllib3 import HTTPResponse

from matchcast.adapters import s3_objects
from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.adapters.s3_objects import S3Objects
from matchcast.domain.task import utc_now
from matchcast.errors import StorageUnavailable
from matchcast.ports import ReleaseStore
from tests.support.tasks import NOW


@pytest.fixture(params=["in memory", "s3"])
def objects(request: pytest.FixtureRequest) -> ReleaseStore:
    if request.param == "in memory":
        return InMemoryObjects()
    names = request.getfixturevalue("aws")
    return S3Objects(boto3.client("s3"), names["DataBucketName"])


def test_an_object_comes_back_byte_for_byte(objects: ReleaseStore) -> None:
    objects.put("a/b", b"\x00\xff")
    found = objects.get("a/b")

    assert found is not None
    assert found.body == b"\x00\xff"


def test_a_missing_object_is_none(objects: ReleaseStore) -> None:
    assert objects.get("nothing/here") is None


def test_a_conditional_read_answers_only_when_something_changed(objects: ReleaseStore) -> None:
    # GIVEN an object that was read
    objects.put("manifest", b"one")
    first = objects.get("manifest")
    assert first is not None

    # WHEN it is unchanged
    # THEN a conditional read returns nothing
    assert objects.get_if_changed("manifest", first.etag) is None

    # WHEN it has changed
    objects.put("manifest", b"two")
    second = objects.get_if_changed("manifest", first.etag)

    # THEN
    assert second is not None
    assert second.body == b"two"


def test_a_conditional_read_of_nothing_is_a_key_error(objects: ReleaseStore) -> None:
    with pytest.raises(KeyError):
        objects.get_if_changed("nothing/here", '"etag"')


def test_a_switch_wins_only_over_the_version_that_was_read(objects: ReleaseStore) -> None:
    # WHEN two writers find no manifest
    # THEN the first one wins
    assert objects.switch("manifest", b"one", None)
    assert not objects.switch("manifest", b"other", None)

    # WHEN two writers have read the same version
    # THEN the first one wins
    read = objects.get("manifest")
    assert read is not None
    assert objects.switch("manifest", b"two", read.etag)
    assert not objects.switch("manifest", b"three", read.etag)

    # THEN the last winner's version is there
    present = objects.get("manifest")
    assert present is not None
    assert present.body == b"two"


def test_a_switch_over_a_version_that_is_gone_loses(objects: ReleaseStore) -> None:
    objects.put("manifest", b"one")
    read = objects.get("manifest")
    assert read is not None
    objects.delete(["manifest"])

    assert not objects.switch("manifest", b"two", read.etag)
    assert objects.get("manifest") is None


@pytest.mark.parametrize("is_first", [True, False])
def test_a_switch_whose_answer_gets_lost_has_won(aws: dict[str, str], is_first: bool) -> None:
    # GIVEN a client that loses the answer to its first write, and sends it again
    client = boto3.client("s3", config=Config(retries={"mode": "standard", "total_max_attempts": 2}))
    objects = S3Objects(client, aws["DataBucketName"])
    lost: list[object] = []
    if not is_first:
        objects.put("manifest", b"one")
    read = objects.get("manifest")

    def lose_once(response: object, **_: object) -> int | None:
        if lost:
            return None
        lost.append(response)
        return 0  # seconds until it is sent again

    events: Any = client.meta.events
    events.register("needs-retry.s3.PutObject", lose_once)

    # WHEN a manifest is switched
    # THEN the second attempt is refused because of the first, and that is no lost race
    assert objects.switch("manifest", b"two", read.etag if read else None)
    assert len(lost) == 1


def test_a_body_that_breaks_off_is_an_outage_whatever_the_sdk_makes_of_it(
    aws: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN an object whose stream ends with an error of TLS, which the SDK passes on as it is
    objects = S3Objects(boto3.client("s3"), aws["DataBucketName"])
    objects.put("manifest", b"one")

    class Stream(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise ssl.SSLError("decryption failed or bad record mac")

    broken = HTTPResponse(Stream(), preload_content=False)
    monkeypatch.setattr("botocore.httpchecksum.StreamingChecksumBody.read", lambda _, amt=None: broken.read(amt))
    monkeypatch.setattr("botocore.response.StreamingBody.read", lambda _, amt=None: broken.read(amt))

    # WHEN it is read
    # THEN
    with pytest.raises(StorageUnavailable, match="did not answer"):
        objects.get("manifest")


def test_keys_are_listed_by_prefix_in_order(objects: ReleaseStore) -> None:
    for key in ("models/2", "models/1", "snapshots/1"):
        objects.put(key, b"")

    assert [each.key for each in objects.list_objects("models/")] == ["models/1", "models/2"]


def test_a_listing_says_when_an_object_was_written_last(objects: ReleaseStore) -> None:
    # S3 keeps whole seconds.
    before = utc_now().replace(microsecond=0)
    objects.put("models/1", b"")
    (listed,) = objects.list_objects("models/")

    assert before <= listed.modified_at <= utc_now()


def test_what_is_deleted_is_gone_and_the_rest_is_there(objects: ReleaseStore) -> None:
    for key in ("models/2", "models/1", "snapshots/1"):
        objects.put(key, b"")
    objects.delete(["models/1", "snapshots/1", "nothing/here"])

    assert objects.get("models/1") is None
    assert [each.key for each in objects.list_objects("")] == ["models/2"]


def test_deleting_nothing_is_no_error(objects: ReleaseStore) -> None:
    objects.put("models/1", b"")
    objects.delete([])

    assert objects.get("models/1") is not None


def test_more_objects_than_one_call_takes_are_listed_and_deleted(
    objects: ReleaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Three in place of S3's thousand, which take moto many seconds.
    assert s3_objects.DELETE_AT_ONCE == 1000
    monkeypatch.setattr(s3_objects, "DELETE_AT_ONCE", 3)
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "3")
    keys = [f"snapshots/{number:04d}" for number in range(8)]
    for key in keys:
        objects.put(key, b"")
    assert [each.key for each in objects.list_objects("snapshots/")] == keys
    objects.delete(keys[1:])

    assert [each.key for each in objects.list_objects("")] == keys[:1]


def test_what_could_not_be_deleted_is_counted_and_named(aws: dict[str, str]) -> None:
    # GIVEN a bucket that refuses two of three keys, in an answer that counts as success
    client = boto3.client("s3")
    stubbed = Stubber(client)
    errors = [{"Key": f"models/{number}", "Code": "AccessDenied", "Message": "no"} for number in (2, 3)]
    stubbed.add_response("delete_objects", {"Errors": errors})
    objects = S3Objects(client, aws["DataBucketName"])

    # WHEN they are deleted
    # THEN that is an error of the product's own
    with stubbed, pytest.raises(StorageUnavailable, match=r"2 of 3 objects; the first is models/2 \(AccessDenied\)"):
        objects.delete(["models/1", "models/2", "models/3"])


def test_an_injected_clock_dates_the_objects() -> None:
    objects = InMemoryObjects(lambda: NOW)
    objects.put("old", b"")
    objects.now = lambda: NOW + timedelta(hours=2)
    assert objects.switch("new", b"", None)

    ages = {each.key: each.modified_at for each in objects.list_objects("")}
    assert ages == {"old": NOW, "new": NOW + timedelta(hours=2)}


def test_a_missing_bucket_is_reported_as_unavailable(aws: dict[str, str]) -> None:
    # GIVEN a bucket that does not exist
    objects = S3Objects(boto3.client("s3"), f"{aws['DataBucketName']}-gone")

    # WHEN it is called
    for call in (
        lambda: objects.get("a"),
        lambda: objects.put("a", b""),
        lambda: objects.switch("a", b"", None),
        lambda: objects.list_objects("a"),
        lambda: objects.delete(["a"]),
        lambda: objects.get_if_changed("a", '"e"'),
    ):
        # THEN
        with pytest.raises(StorageUnavailable, match="data bucket"):
            call()
