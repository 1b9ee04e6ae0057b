"""Routes of manage_batches."""

from __future__ import annotations

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import Field

from functions.manage_batches.schemas import BatchRequest, UploadRequest
from matchcast.batches.submit import BatchSubmission
from matchcast.bootstrap import batches, callbacks, http, parts
from matchcast.domain.batch import FileFormat
from matchcast.errors import (
    AddressRefused,
    BatchGone,
    BatchNotFound,
    Conflict,
    ContentTooLarge,
    CursorNotFound,
    InputNotFound,
    KeyMalformed,
    KeyReused,
    QueueUnavailable,
    SecretMissing,
    StageNotFound,
    StorageUnavailable,
    TooManyBatches,
)
from matchcast.http.api import Api, serve
from matchcast.http.batch_envelope import BatchEnvelope, BatchList, Upload, accepted_batch, batch_envelope
from matchcast.http.contract import MODEL, READ, SNAPSHOT, WRITE, answers
from matchcast.http.cursors import CURSOR_PATTERN, MAX_CURSOR_LENGTH
from matchcast.http.idempotency import Key, idempotency_key
from matchcast.http.parameters import DIGITS_ALONE, TRUE_OR_FALSE

api = Api(http.settings)
OF_A_BATCH = (BatchNotFound, BatchGone, StorageUnavailable)
KEYS = (KeyMalformed, KeyReused)
ACCEPTING = (
    *KEYS,
    StageNotFound,
    InputNotFound,
    ContentTooLarge,
    TooManyBatches,
    *MODEL,
    *SNAPSHOT,
    AddressRefused,
    SecretMissing,
    QueueUnavailable,
    StorageUnavailable,
)
CANCELLING = (*OF_A_BATCH, Conflict, QueueUnavailable)
RETRYING = (*CANCELLING, *KEYS)
PageSize = Annotated[int, Field(ge=1, le=100), DIGITS_ALONE]
Flag = Annotated[bool, TRUE_OR_FALSE]
PartNumber = Annotated[int, Field(ge=0, le=999_999), DIGITS_ALONE]


@api.post("/predict/batch/uploads", security=WRITE, responses=answers(201, StorageUnavailable, model=Upload))
def make_upload(body: UploadRequest) -> Response[Upload]:
    """Return a form with which one input file can be uploaded.

    Send it as multipart/form-data: all `fields`, then the file as `file`. The file is private to the tenant, and kept
    for four days.
    """
    upload = batches.make_upload().make(api.tenant, body.format, gzipped=body.gzip)
    form = upload.form
    made = Upload(
        input=upload.key,
        url=form.url,
        fields=dict(form.fields),
        max_bytes=upload.max_bytes,
        expires_at=upload.expires_at,
    )
    return Response(201, body=made)


@api.post("/predict/batch/", security=WRITE, responses=answers(202, *ACCEPTING, model=BatchEnvelope))
def submit_batch(body: BatchRequest, key: Key = None) -> Response[BatchEnvelope]:
    """Accept many predictions by one model over one snapshot, whatever is released meanwhile.

    `Location` is where the batch's status is. Its result is one file of predictions and one of errors; together they
    have every row of the input. Send an `Idempotency-Key`, and a request that is repeated after a lost answer is the
    same batch.
    """
    use_case = batches.submit_batch()
    once = idempotency_key(key, "POST /predict/batch/", body.fingerprinted())
    tenant, url = api.tenant, body.callback_url

    def submission() -> BatchSubmission:
        if url is not None:
            callbacks.check_callback().check(tenant, url)
        return BatchSubmission(body.stage, body.match_ids, body.input, FileFormat(body.output_format), url)

    batch, is_new = use_case.submit(tenant, submission, once)
    api.asked.stage = batch.provenance.model.stage  # a stage of that name is published, or was
    api.asked.became_task(is_new=is_new)
    return accepted_batch(batch, batches.track_batches().progress(batch))


@api.get("/predict/batch/", security=READ, responses=answers(200, CursorNotFound, StorageUnavailable))
def list_batches(
    limit: Annotated[PageSize, Query(description="Batches a page.")] = 50,
    cursor: Annotated[
        str | None,
        Query(pattern=CURSOR_PATTERN, max_length=MAX_CURSOR_LENGTH, description="`next_cursor` of the page before."),
    ] = None,
) -> BatchList:
    """Return the tenant's batches, newest first.

    Whose batches they are comes from the token alone.
    """
    owner, use_case = api.tenant, batches.track_batches()
    bound_to = {"list": "batches", "tenant": owner}
    before = http.cursors().open(cursor, bound_to) if cursor else None
    page = use_case.list(owner, before=before, limit=limit)
    following = http.cursors().seal(page.next_before, bound_to) if page.next_before else None
    return BatchList(
        items=[batch_envelope(batch, use_case.progress(batch)) for batch in page.batches], next_cursor=following
    )


@api.get("/predict/batch/<batch_id>", security=READ, responses=answers(200, *OF_A_BATCH))
def batch_status(
    batch_id: str,
    links: Annotated[Flag, Query(description="Whether to sign addresses of the files that are there.")] = False,
    with_parts: Annotated[
        Flag, Query(alias="parts", description="Whether to show parts that have ended, up to 100 of them.")
    ] = False,
    after: Annotated[PartNumber | None, Query(description="Only parts with a higher number.")] = None,
) -> BatchEnvelope:
    """Return a batch: its counts, how far it is, what it is predicted with.

    `links` are addresses at which its files can be read for 15 minutes, with `links=true` and once they are there.
    After `expires_at` the answer is a 410 for seven days.
    """
    use_case = batches.track_batches()
    batch = use_case.status(api.tenant, batch_id)
    ended = use_case.parts(api.tenant, batch_id, after=after).parts if with_parts else None
    return batch_envelope(batch, use_case.progress(batch), batches.download_link if links else None, ended)


@api.delete("/predict/batch/<batch_id>", security=WRITE, responses=answers(200, *CANCELLING))
def cancel_batch(batch_id: str) -> BatchEnvelope:
    """Cancel what has not run of a batch; cancelling it again changes nothing.

    What has run is in its output file, everything else in its error file. A batch that has ended in another way is a
    409.
    """
    use_case = batches.track_batches()
    batch = use_case.cancel(api.tenant, batch_id)
    return batch_envelope(batch, use_case.progress(batch))


@api.post(
    "/predict/batch/<batch_id>/retry-failed", security=WRITE, responses=answers(202, *RETRYING, model=BatchEnvelope)
)
def retry_failed_rows(batch_id: str, key: Key = None) -> Response[BatchEnvelope]:
    """Run the failed and cancelled rows of a batch that has ended again, with the same model and snapshot.

    Rows that are wrong in the input are not tried again. A batch that has not ended, or has no row to try, is a 409.
    """
    once = idempotency_key(key, "POST /predict/batch/{batch_id}/retry-failed", batch_id)
    use_case = batches.track_batches()
    batch, is_new = use_case.retry_failed(api.tenant, batch_id, once)
    api.asked.stage = batch.provenance.model.stage  # one that was published when the batch was accepted
    api.asked.became_task(is_new=is_new)
    return accepted_batch(batch, use_case.progress(batch))


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one HTTP request."""
    return serve(api, event, context)


parts.make_at_init(
    batches.make_upload,
    batches.submit_batch,
    batches.track_batches,
    callbacks.check_callback,
    http.cursors,
    http.settings,
)
