"""Large files of the data bucket on S3: read and written in pieces, so that no file has to fit into memory."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from urllib3.exceptions import HTTPError

from matchcast.adapters.aws_errors import FAILURES, error_code, unavailable_as
from matchcast.batches.ports import StoredFile, UploadForm
from matchcast.errors import StorageUnavailable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

PIECE_BYTES = 16 * 1024 * 1024
"""What one request reads or writes: a second or two, where nothing is wrong."""
_CHUNK_BYTES = 1024 * 1024
_ABSENT = {"404", "405", "412", "MethodNotAllowed", "NoSuchKey", "NoSuchVersion", "NotFound", "PreconditionFailed"}
"""405: this version is a deletion. 412: it was another one, in a bucket that keeps no versions."""


class S3Files:
    """A `FileStore` on one bucket.

    Parameters
    ----------
    client
        A client that signs with Signature Version 4, as forms and addresses of every region need.
    bucket
        The data bucket.
    piece_bytes
        What one request reads or writes; of a larger file that is written, all but the last piece have at least 5 MiB.
    """

    def __init__(self, client: S3Client, bucket: str, piece_bytes: int = PIECE_BYTES) -> None:
        self._client = client
        self._bucket = bucket
        self._piece_bytes = piece_bytes

    def head(self, key: str) -> StoredFile | None:
        """Return what an object is, or None where there is none."""
        return self._head(key)

    def download(self, key: str, version_id: str | None, path: Path) -> bool:
        """Write a version of an object to a local file; False if it is not there (any more)."""
        version = {} if version_id is None else {"VersionId": version_id}
        found = self._head(key, **version)
        if found is None:
            return False
        # Without versions another upload may take its place between two pieces.
        same = version or {"IfMatch": found.etag}
        with path.open("wb") as file:
            done = 0
            while done < found.size:
                read = self._read(file, done, found.size, Key=key, **same)
                if read is None:
                    return False
                done = read
        return True

    def upload(self, path: Path, key: str, content_type: str) -> None:
        """Write a local file to an object, in pieces where it is large; readers see all of it or none."""
        with path.open("rb") as file, unavailable_as(StorageUnavailable, self._name):
            if os.fstat(file.fileno()).st_size > self._piece_bytes:
                self._upload_pieces(file, key, content_type)
            else:
                self._client.put_object(Bucket=self._bucket, Key=key, Body=file.read(), ContentType=content_type)

    def upload_form(self, key: str, max_bytes: int, seconds: int) -> UploadForm:
        """Return what a client needs to upload one object of at most `max_bytes` under this key, for some seconds."""
        with unavailable_as(StorageUnavailable, self._name):
            form = self._client.generate_presigned_post(
                self._bucket, key, Conditions=[["content-length-range", 0, max_bytes]], ExpiresIn=seconds
            )
        return UploadForm(form["url"], form["fields"])

    def download_link(self, key: str, filename: str, seconds: int) -> str:
        """Return an address at which an object can be read for some seconds, and is saved under a file name."""
        wanted = {
            "Bucket": self._bucket,
            "Key": key,
            "ResponseContentDisposition": f'attachment; filename="{filename}"',
        }
        with unavailable_as(StorageUnavailable, self._name):
            return self._client.generate_presigned_url("get_object", Params=wanted, ExpiresIn=seconds)

    @property
    def _name(self) -> str:
        return f"The data bucket {self._bucket}"

    def _head(self, key: str, **version: Any) -> StoredFile | None:
        with unavailable_as(StorageUnavailable, self._name):
            try:
                answer = self._client.head_object(Bucket=self._bucket, Key=key, **version)
            except ClientError as error:
                if error_code(error) in _ABSENT:
                    return None
                raise
        return StoredFile(key, answer.get("VersionId"), answer["ETag"], answer["ContentLength"])

    def _read(self, file: IO[bytes], start: int, size: int, **wanted: Any) -> int | None:
        """Write a piece of an object to a file, from `start` on; return where it ends, or None if it is gone."""
        for is_last_try in (False, False, True):
            try:
                return self._try_to_read(file, start, size, **wanted)
            except StorageUnavailable as error:
                # The SDK tries a request again that fails, but not one whose body breaks off.
                if is_last_try or error.is_defect:
                    raise
        return None

    def _try_to_read(self, file: IO[bytes], start: int, size: int, **wanted: Any) -> int | None:
        end = min(start + self._piece_bytes, size)
        with unavailable_as(StorageUnavailable, self._name):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Range=f"bytes={start}-{end - 1}", **wanted)
                if not answer.get("ContentRange"):  # storage may send the whole object instead, as HTTP allows
                    start, end = 0, size
                file.seek(start)
                for some in answer["Body"].iter_chunks(_CHUNK_BYTES):
                    file.write(some)
            except ClientError as error:
                if error_code(error) in _ABSENT:
                    return None
                raise
            except HTTPError as error:  # a body that breaks off; the SDK passes on what TLS says of that as it is
                raise StorageUnavailable(f"{self._name} did not answer ({type(error).__name__}).") from error
        if file.tell() != end:
            raise StorageUnavailable(
                f"{self._name} sent {file.tell() - start} bytes where {end - start} were asked for."
            )
        return end

    def _upload_pieces(self, file: IO[bytes], key: str, content_type: str) -> None:
        """Write a file as one object in pieces, one after the other; one that fails leaves nothing behind."""
        target: Any = {"Bucket": self._bucket, "Key": key}
        upload: Any = {
            **target,
            "UploadId": self._client.create_multipart_upload(**target, ContentType=content_type)["UploadId"],
        }
        try:
            pieces: list[CompletedPartTypeDef] = []
            while piece := file.read(self._piece_bytes):
                number = len(pieces) + 1
                answer = self._client.upload_part(**upload, PartNumber=number, Body=piece)
                pieces.append({"ETag": answer["ETag"], "PartNumber": number})
            self._client.complete_multipart_upload(**upload, MultipartUpload={"Parts": pieces})
        except BaseException:
            # Where this fails too, the bucket removes what was begun and never ended.
            with suppress(*FAILURES):
                self._client.abort_multipart_upload(**upload)
            raise
