"""The data bucket on S3, with conditional reads and writes, and removal in bulk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from urllib3.exceptions import HTTPError

from matchcast.adapters.aws_errors import error_code, unavailable_as
from matchcast.errors import StorageUnavailable
from matchcast.ports import ListedObject, StoredObject

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_ABSENT = {"NoSuchKey", "404", "NotFound"}
_UNCHANGED = {"304", "NotModified"}
# 412: somebody switched before us. 409: two switches met, and this one was not the first.
# 404: the version that was read is gone.
_LOST = {"PreconditionFailed", "412", "ConditionalRequestConflict", "409", "NoSuchKey"}
DELETE_AT_ONCE = 1_000
"""Keys that one DeleteObjects takes."""


class S3Objects:
    """A `ReleaseStore` on one bucket."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def get(self, key: str) -> StoredObject | None:
        """Return an object, or None where there is none."""
        return self._get(key)

    def get_if_changed(self, key: str, etag: str) -> StoredObject | None:
        """Return the object if its ETag is another one, None if it is the same; a missing object raises KeyError."""
        try:
            found = self._get(key, IfNoneMatch=etag)
        except _Unchanged:
            return None
        if found is None:
            raise KeyError(key)
        return found

    def put(self, key: str, body: bytes, content_type: str = "application/octet-stream") -> None:
        """Write an object, whatever was there."""
        with unavailable_as(StorageUnavailable, self._name):
            self._client.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType=content_type)

    def switch(self, key: str, body: bytes, etag: str | None) -> bool:
        """Write a manifest only over the version read as `etag` (None: only where there is none).

        A write whose answer gets lost is sent again by the SDK, and then refused because of itself: where the refused
        manifest is the one that is there, it was written.
        """
        condition: dict[str, Any] = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        with unavailable_as(StorageUnavailable, self._name):
            try:
                self._client.put_object(
                    Bucket=self._bucket, Key=key, Body=body, ContentType="application/json", **condition
                )
            except ClientError as error:
                if error_code(error) not in _LOST:
                    raise
                present = self._get(key)
                return present is not None and present.body == body
        return True

    def list_objects(self, prefix: str) -> Sequence[ListedObject]:
        """Return the objects under a prefix, sorted by key."""
        with unavailable_as(StorageUnavailable, self._name):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            found = [
                ListedObject(item["Key"], item["LastModified"]) for page in pages for item in page.get("Contents", [])
            ]
        return sorted(found, key=lambda item: item.key)

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; one that is not there is deleted already.

        An answer that S3 counts as success lists the keys that could not be deleted.
        """
        errors: list[Any] = []
        with unavailable_as(StorageUnavailable, self._name):
            for start in range(0, len(keys), DELETE_AT_ONCE):
                named: Any = [{"Key": key} for key in keys[start : start + DELETE_AT_ONCE]]
                answer = self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": named, "Quiet": True})
                errors += answer.get("Errors", [])
        if errors:
            first = errors[0]
            raise StorageUnavailable(
                f"{self._name} did not delete {len(errors)} of {len(keys)} objects; the first is {first.get('Key')} "
                f"({first.get('Code')})."
            )

    @property
    def _name(self) -> str:
        return f"The data bucket {self._bucket}"

    def _get(self, key: str, **condition: Any) -> StoredObject | None:
        with unavailable_as(StorageUnavailable, self._name):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=key, **condition)
                return StoredObject(body=answer["Body"].read(), etag=answer["ETag"])
            except ClientError as error:
                if error_code(error) in _ABSENT:
                    return None
                if error_code(error) in _UNCHANGED:
                    raise _Unchanged from error
                raise
            except HTTPError as error:  # a body that breaks off; the SDK passes on what TLS says of that as it is
                raise StorageUnavailable(f"{self._name} did not answer ({type(error).__name__}).") from error


class _Unchanged(Exception):
    """The object still has the ETag that was asked about."""
