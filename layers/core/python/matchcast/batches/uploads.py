"""Input files: where a client uploads one, and which of them a key names."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

from matchcast.batches.ports import FileStore, UploadForm
from matchcast.domain.batch import MOST_BYTES, FileFormat, InputFile
from matchcast.echo import quoted
from matchcast.errors import ContentTooLarge, FieldError, InputNotFound, InvalidRequest

_NAME = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\.(parquet|(?:csv|jsonl)(\.gz)?)"
)
_POINTER = "/input"


@dataclass(frozen=True, slots=True)
class Upload:
    """Where one file can be uploaded, until when, and the key by which a batch names it."""

    key: str
    form: UploadForm
    max_bytes: int
    expires_at: datetime


class MakeUpload:
    """Makes a key of the tenant's own, and the form that uploads one file under it."""

    def __init__(self, files: FileStore, now: Callable[[], datetime], seconds: int) -> None:
        self._files = files
        self._now = now
        self._seconds = seconds

    def make(self, tenant: str, file_format: FileFormat, *, gzipped: bool = False) -> Upload:
        """Return a new upload.

        Raises
        ------
        InvalidRequest
            If a Parquet file is to be gzipped: its pages are compressed already.
        StorageUnavailable
            If no form can be made.
        """
        if gzipped and file_format is FileFormat.PARQUET:
            detail = "Parquet is compressed already; upload it as it is."
            raise InvalidRequest(detail, [FieldError(pointer="/gzip", detail=detail)])
        key = f"{_folder(tenant)}{uuid.uuid4()}.{file_format.value}{'.gz' if gzipped else ''}"
        expires_at = self._now() + timedelta(seconds=self._seconds)
        return Upload(key, self._files.upload_form(key, MOST_BYTES, self._seconds), MOST_BYTES, expires_at)


def find_input(files: FileStore, tenant: str, key: str) -> InputFile:
    """Return the file that a tenant uploaded under a key, pinned to its present version.

    Raises
    ------
    InputNotFound
        If there is none, or the key is none that this tenant was given.
    InvalidRequest, ContentTooLarge
        If the file is empty, or larger than a batch may be.
    StorageUnavailable
        If nobody can say.
    """
    name = _NAME.fullmatch(key.removeprefix(_folder(tenant)))
    stored = files.head(key) if name is not None and key.startswith(_folder(tenant)) else None
    if name is None or stored is None:
        raise InputNotFound(
            f"You have uploaded no file as {quoted(key)}. Ask POST /predict/batch/uploads for a key, and upload first."
        )
    if stored.size == 0:
        detail = f"The file is empty; upload one with 1 to {MOST_BYTES} bytes."
        raise InvalidRequest(detail, [FieldError(pointer=_POINTER, detail=detail)])
    if stored.size > MOST_BYTES:
        detail = f"The file has {stored.size} bytes; at most {MOST_BYTES} are taken. Split it into several batches."
        raise ContentTooLarge(detail, [FieldError(pointer=_POINTER, detail=detail)])
    return InputFile(
        key=key,
        version_id=stored.version_id,
        etag=stored.etag,
        size=stored.size,
        format=FileFormat(name[1].removesuffix(".gz")),
        gzipped=name[2] is not None,
    )


def _folder(tenant: str) -> str:
    return f"input/{quote(tenant, safe='')}/"
