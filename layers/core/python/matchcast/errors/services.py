"""What failed behind a request that may be right: a 5xx that says nothing internal."""

from __future__ import annotations

from matchcast.errors.base import MatchcastError


class Transient(MatchcastError, code="unavailable", status=503, title="Temporarily unavailable"):
    """Something behind the service is out of reach; the same request may succeed later.

    It is a defect if it refused the call itself, for a permission or a table that is missing.
    """


class ModelUnavailable(
    Transient, code="model-unavailable", public="No model can be loaded at present. Try again in a moment."
):
    """No model could be loaded yet."""


class ModelNotPublished(
    ModelUnavailable,
    code="model-not-published",
    title="No model published yet",
    public="No model has been published on this stack yet. Its operator publishes one with `matchcast publish`.",
):
    """No model was ever published on this stack."""


class SnapshotUnavailable(
    Transient,
    code="snapshot-unavailable",
    public="No snapshot of matches can be read at present. Try again in a moment.",
):
    """No snapshot could be loaded yet."""


class SnapshotNotPublished(
    SnapshotUnavailable,
    code="snapshot-not-published",
    title="No snapshot published yet",
    public="No snapshot of matches has been published on this stack yet. Its operator publishes a model with "
    "`matchcast publish`, then a snapshot with `matchcast snapshot`.",
):
    """No snapshot was ever published on this stack."""


class PredictionsPending(
    Transient,
    code="predictions-pending",
    public="The predictions of the next snapshot are still being made. Try again later.",
):
    """The batch that predicts the matches of a snapshot has not ended yet; the next refresh goes on with it."""


class StorageUnavailable(
    Transient,
    code="storage-unavailable",
    public="The storage did not answer in time; try again in a moment. With an Idempotency-Key no second task is made.",
):
    """The tasks table or the data bucket did not answer."""


class QueueUnavailable(
    Transient,
    code="queue-unavailable",
    public="The queue did not answer in time; try again in a moment. With an Idempotency-Key no second task is made.",
):
    """The queue did not take the message."""


class InferenceUnavailable(
    Transient, code="inference-unavailable", public="The prediction could not be run at present. Try again in a moment."
):
    """The inference function could not be run."""


class ModelFailed(
    MatchcastError,
    code="model-failed",
    status=503,
    title="The model failed",
    public="The model gave no usable answer for this input. The same request will fail again.",
):
    """The model's answer is no prediction; trying again gives the same answer."""


class ModelCrashed(ModelFailed):
    """The model ended its process; its next call has to start it again, which takes as long as loading it."""


class DeadlineExceeded(
    MatchcastError,
    code="deadline-exceeded",
    status=504,
    title="Deadline exceeded",
    public="The prediction did not finish in time. Ask again, or submit it to /predict/async/.",
):
    """The prediction did not finish within the time that the caller can wait."""


class WaitOver(DeadlineExceeded):
    """The prediction did not finish within the shorter time that the client asked for; no fault of the service."""


class ModelTooSlow(
    Transient, code="model-too-slow", public="The model of this stage did not answer in time. Try again later."
):
    """A worker stopped waiting for the model of a stage; the other stages go on."""


class ReleaseUnfit(MatchcastError, code="release-unfit", status=503, title="Release cannot be served"):
    """Model and snapshot do not fit each other; its detail names columns, which clients see in the signature too."""

    is_public = True


class BatchUnknown(Transient, code="batch-unknown"):
    """A message names a batch of which there is neither a record nor a request; they may still come."""


class BatchFilesMissing(
    MatchcastError,
    code="batch-files-missing",
    title="Files of the batch are missing",
    public="Files that the batch needs were deleted before it had ended. Submit it again.",
):
    """An object that the service wrote for a batch is not there any more."""

    is_defect = True


class RequestRefused(MatchcastError, code="request-refused"):
    """A service behind the product refused one request as invalid; the same request is refused again."""

    is_defect = True


class UnexpectedFault(MatchcastError, code="unexpected-fault"):
    """Something raised what the product does not know; `__cause__` is that."""

    is_defect = True
