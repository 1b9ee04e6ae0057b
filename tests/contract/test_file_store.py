"""Large files on S3: read and written in pieces, and what clients need to do so themselves."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import IncompleteReadError
from urllib3.exceptions import SSLError

from matchcast.adapters.s3_files import S3Files
from matchcast.errors import StorageUnavailable

MEGABYTE = 1024 * 1024
PIECE = 5 * MEGABYTE
BODY = bytes(range(256)) * (12 * MEGABYTE // 256) + b"end"


@pytest.fixture
def client(aws: dict[str, str]) -> Any:
    return boto3.client("s3", config=Config(signature_version="s3v4"))


@pytest.fixture
def bucket(aws: dict[str, str]) -> str:
    return aws["DataBucketName"]


@pytest.fixture
def files(client: Any, bucket: str) -> S3Files:
    return S3Files(client, bucket, piece_bytes=PIECE)


class Broken:
    """A body that breaks off after some bytes, or just ends."""

    def __init__(self, body: bytes, error: Exception | None) -> None:
        self.body = body
        self.error = error

    def iter_chunks(self, _: int) -> Any:
        yield self.body[:1000]
        if self.error is not None:
            raise self.error


def breaks(client: Any, times: int, error: Exception | None) -> list[str]:
    """Have the first bodies break off, and return which ranges were asked for."""
    ranges: list[str] = []
    get = client.get_object

    def broken(**request: Any) -> Any:
        ranges.append(request["Range"])
        answer = get(**request)
        if len(ranges) <= times:
            answer["Body"] = Broken(answer["Body"].read(), error)
        return answer

    client.get_object = broken
    return ranges


@pytest.mark.parametrize("size", [0, 1, PIECE, PIECE + 1, len(BODY)])
def test_a_file_comes_back_byte_for_byte(files: S3Files, tmp_path: Path, size: int) -> None:
    # GIVEN a file of no piece, one, or several
    path, copy = tmp_path / "file", tmp_path / "copy"
    path.write_bytes(BODY[:size])

    # WHEN it is uploaded and downloaded
    files.upload(path, "a/b", "text/csv")
    found = files.head("a/b")

    # THEN
    assert found is not None
    assert (found.key, found.size) == ("a/b", size)
    assert files.download("a/b", found.version_id, copy)
    assert copy.read_bytes() == BODY[:size]


def test_an_upload_has_its_content_type_and_leaves_no_pieces(
    files: S3Files, client: Any, bucket: str, tmp_path: Path
) -> None:
    # GIVEN files of one piece and of several
    for name, body in (("small", b"x"), ("large", BODY)):
        (tmp_path / name).write_bytes(body)

        # WHEN they are uploaded
        files.upload(tmp_path / name, name, "application/vnd.apache.parquet")

        # THEN
        assert client.head_object(Bucket=bucket, Key=name)["ContentType"] == "application/vnd.apache.parquet"
    assert client.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []


def test_a_missing_object_is_nothing(files: S3Files, tmp_path: Path) -> None:
    assert files.head("nothing") is None
    assert not files.download("nothing", None, tmp_path / "copy")


def test_the_version_that_was_pinned_is_read(files: S3Files, client: Any, bucket: str, tmp_path: Path) -> None:
    # GIVEN an object that was written over, and then deleted
    client.put_object(Bucket=bucket, Key="input", Body=b"first")
    pinned = files.head("input")
    client.put_object(Bucket=bucket, Key="input", Body=b"second")
    client.delete_object(Bucket=bucket, Key="input")
    assert pinned is not None

    # WHEN the first version is downloaded
    # THEN
    assert files.head("input") is None
    assert files.download("input", pinned.version_id, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"first"

    # WHEN that version is deleted too
    client.delete_object(Bucket=bucket, Key="input", VersionId=pinned.version_id)
    # THEN
    assert not files.download("input", pinned.version_id, tmp_path / "copy")


def test_an_object_that_is_replaced_between_two_pieces_is_gone(
    files: S3Files, client: Any, bucket: str, tmp_path: Path
) -> None:
    # GIVEN an object without a pinned version
    client.put_object(Bucket=bucket, Key="input", Body=BODY)
    get = client.get_object

    def replace(**request: Any) -> Any:
        answer = get(**request)
        client.put_object(Bucket=bucket, Key="input", Body=BODY[::-1])
        return answer

    client.get_object = replace

    # WHEN it is replaced while it is read
    # THEN no mixture of both is taken for it
    assert not files.download("input", None, tmp_path / "copy")


BREAKS = [
    IncompleteReadError(actual_bytes=1000, expected_bytes=PIECE),
    SSLError("bad record mac"),
    None,
]


@pytest.mark.parametrize("error", BREAKS)
def test_a_body_that_breaks_off_is_read_again(
    files: S3Files, client: Any, bucket: str, tmp_path: Path, error: Exception | None
) -> None:
    # GIVEN an object of three pieces, the first of which breaks off twice
    client.put_object(Bucket=bucket, Key="input", Body=BODY)
    ranges = breaks(client, 2, error)

    # WHEN it is downloaded
    # THEN
    assert files.download("input", None, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == BODY
    assert ranges == [
        *[f"bytes=0-{PIECE - 1}"] * 3,
        f"bytes={PIECE}-{2 * PIECE - 1}",
        f"bytes={2 * PIECE}-{len(BODY) - 1}",
    ]


def test_storage_that_sends_whole_objects_is_read_once(
    files: S3Files, client: Any, bucket: str, tmp_path: Path
) -> None:
    # GIVEN storage that does not look at ranges, as local engines do where a version is named
    client.put_object(Bucket=bucket, Key="input", Body=BODY)
    get, calls = client.get_object, list[str]()

    def whole(**request: Any) -> Any:
        calls.append(request.pop("Range"))
        return get(**request)

    client.get_object = whole

    # WHEN an object of three pieces is downloaded
    # THEN
    assert files.download("input", None, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == BODY
    assert len(calls) == 1


def test_a_body_that_always_breaks_off_is_an_outage(files: S3Files, client: Any, bucket: str, tmp_path: Path) -> None:
    client.put_object(Bucket=bucket, Key="input", Body=BODY)
    ranges = breaks(client, 100, None)

    with pytest.raises(StorageUnavailable, match=f"sent 1000 bytes where {PIECE} were asked for"):
        files.download("input", None, tmp_path / "copy")
    assert len(ranges) == 3


def test_pieces_of_an_upload_that_fails_are_removed(files: S3Files, client: Any, bucket: str, tmp_path: Path) -> None:
    # GIVEN a bucket that takes no second piece
    (tmp_path / "file").write_bytes(BODY)
    upload_part = client.upload_part

    def refuse(**request: Any) -> Any:
        if request["PartNumber"] == 2:
            raise IncompleteReadError(actual_bytes=0, expected_bytes=1)
        return upload_part(**request)

    client.upload_part = refuse

    # WHEN a file of several is uploaded
    # THEN nothing of it is left
    with pytest.raises(StorageUnavailable):
        files.upload(tmp_path / "file", "output", "text/csv")
    assert files.head("output") is None
    assert client.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []


def test_a_missing_bucket_is_reported_as_unavailable(client: Any, tmp_path: Path) -> None:
    # GIVEN a bucket that does not exist
    files = S3Files(client, "gone")
    (tmp_path / "file").write_bytes(b"x")

    # WHEN it is written
    # THEN
    with pytest.raises(StorageUnavailable, match="data bucket gone"):
        files.upload(tmp_path / "file", "a", "text/csv")


def test_an_upload_form_is_for_one_key_and_a_number_of_bytes(files: S3Files, bucket: str) -> None:
    # WHEN a form is made
    form = files.upload_form("input/north/1.csv", 1000, 600)

    # THEN its signed policy allows nothing else
    policy = json.loads(base64.b64decode(form.fields["policy"]))
    assert {"key": "input/north/1.csv"} in policy["conditions"]
    assert {"bucket": bucket} in policy["conditions"]
    assert ["content-length-range", 0, 1000] in policy["conditions"]
    assert form.fields["key"] == "input/north/1.csv"
    assert form.fields["x-amz-algorithm"] == "AWS4-HMAC-SHA256"
    assert bucket in form.url


def test_a_download_link_names_the_file_and_ends(files: S3Files) -> None:
    # WHEN a link is made
    query = parse_qs(urlsplit(files.download_link("batches/1/output-0.csv", "predictions.csv", 600)).query)

    # THEN
    assert query["response-content-disposition"] == ['attachment; filename="predictions.csv"']
    assert query["X-Amz-Expires"] == ["600"]
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
