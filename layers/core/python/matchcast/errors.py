"""Every error that the product raises on purpose, with its HTTP status and stable code.

A class names what differs from its base. The HTTP layer, the worker and the command line each catch
`MatchcastError` once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from matchcast.echo import LONGEST_DETAIL, cut

MOST_ERRORS = 100
"""Invalid fields that an error names; of the rest it keeps the number."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One invalid field: a JSON Pointer into the body, or the name of a parameter or header."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None
    header: str | None = None

    def as_dict(self) -> dict[str, str]:
        """Return the parts that are set, as they appear in `errors[]` of a problem; what is too long is cut."""
        names = {"pointer": self.pointer, "parameter": self.parameter, "header": self.header}
        set_names = {kind: cut(name) for kind, name in names.items() if name is not None}
        return {"detail": cut(self.detail, LONGEST_DETAIL), **set_names}


class MatchcastError(Exception):
    """An error with a stable `code`, an HTTP `status`, a `title` and, where fields are wrong, `errors`.

    `detail` is for logs and operators. `public_detail` is what a client may read: for faults behind the
    service that is `public`, because their details name buckets, keys and tables.
    """

    code: ClassVar[str] = "internal-error"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"
    public: ClassVar[str] = ""

    def __init_subclass__(cls, code: str = "", status: int = 0, title: str = "", public: str = "") -> None:
        super().__init_subclass__()
        cls.code, cls.status = code or cls.code, status or cls.status
        cls.title, cls.public = title or cls.title, public or cls.public

    def __init__(self, detail: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors[:MOST_ERRORS])
        self.more_errors = len(errors) - len(self.errors)

    @property
    def public_detail(self) -> str:
        """Return what a client may read of this error: nothing internal."""
        if self.public:
            return self.public
        if self.status < 500:
            return self.detail
        return "The service could not answer. The request_id helps its operators to find out why."


class InvalidRequest(MatchcastError, code="invalid-request", status=422, title="Invalid request"):
    """The request can be read, but its fields are wrong."""


class KeyReused(MatchcastError, code="idempotency-key-reused", status=422, title="Idempotency-Key used before"):
    """The Idempotency-Key came with another request before."""


class ContentTooLarge(MatchcastError, code="content-too-large", status=413, title="Body too large"):
    """The body has more bytes than the route takes."""


class TenantMissing(MatchcastError, code="tenant-missing", status=403, title="Token without a tenant"):
    """The token carries no tenant claim, so no data can be attributed."""


class TenantInvalid(MatchcastError, code="tenant-invalid", status=403, title="Token without a usable tenant"):
    """The tenant claim holds a list, or characters or a length that no tenant's name has."""


class KeyMalformed(MatchcastError, code="idempotency-key-malformed", status=400, title="Malformed Idempotency-Key"):
    """The Idempotency-Key header is not a key of 1 to 255 visible ASCII characters."""


class ScopeMissing(MatchcastError, code="scope-missing", status=403, title="Token without the scope"):
    """The token may not do this; it lacks a scope."""


class TooManyTasks(MatchcastError, code="too-many-tasks", status=429, title="Too many open tasks"):
    """The tenant has as many open tasks as it may have; some have to end first."""

    def __init__(self, detail: str, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class NotFound(MatchcastError, code="not-found", status=404, title="Not found"):
    """The resource does not exist, or the caller may not see it."""


class RouteNotFound(NotFound, code="route-not-found", title="No such route"):
    """No route has this path."""


class MatchNotFound(NotFound, code="match-not-found", title="Unknown match"):
    """No match of the snapshot has this id."""


class StageNotFound(NotFound, code="stage-not-found", title="Unknown stage"):
    """No model is published under this stage."""


class TaskNotFound(NotFound, code="task-not-found", title="Unknown task"):
    """No task of this tenant has this id."""


class CursorNotFound(NotFound, code="cursor-not-found", title="Unknown cursor"):
    """The cursor was issued to another tenant, or for another list."""


class MethodNotAllowed(MatchcastError, code="method-not-allowed", status=405, title="Method not allowed"):
    """The path exists, but not with this method; `Allow` names those that it has."""

    def __init__(self, detail: str, allow: Sequence[str]) -> None:
        super().__init__(detail)
        self.allow = tuple(allow)


class Conflict(MatchcastError, code="conflict", status=409, title="Conflict"):
    """The state of the resource does not allow this."""


class TaskOver(Conflict, code="task-over", title="Task ended without a result"):
    """The task ended as failed, cancelled or expired: there is no result."""


class TaskGone(MatchcastError, code="task-gone", status=410, title="Task expired"):
    """The task has expired; its result is no longer kept."""


class UnsupportedMediaType(MatchcastError, code="unsupported-media-type", status=415, title="Unsupported media type"):
    """The Content-Type of the body is not JSON."""


class Transient(MatchcastError, code="unavailable", status=503, title="Temporarily unavailable"):
    """Something behind the service is out of reach; the same request may succeed later."""

    is_defect = False  # whether it refused the call itself (a permission, a missing table): no client can help


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


class StorageUnavailable(
    Transient,
    code="storage-unavailable",
    public="The storage did not answer. Nothing was changed; try again in a moment.",
):
    """The tasks table or the data bucket did not answer."""


class QueueUnavailable(
    Transient,
    code="queue-unavailable",
    public="The queue did not take the task. Nothing was accepted; try again in a moment.",
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


class ReleaseRefused(MatchcastError, code="release-refused", status=409, title="Release refused"):
    """A model version or snapshot is not fit to be served; what was served stays."""


class DigestMismatch(
    ReleaseRefused,
    code="digest-mismatch",
    public="A file of the newest release is not the one that was announced; the release has to be published again.",
):
    """A file's SHA-256 or size is not the one that its manifest names."""


class ManifestInvalid(
    ReleaseRefused,
    code="manifest-invalid",
    public="The newest release cannot be read; it has to be published again.",
):
    """A manifest is missing, is not JSON, or has another schema version."""


class ReleaseRaceLost(ReleaseRefused, code="release-race-lost"):
    """Another publisher switched the manifest first."""


class SignatureMissing(ReleaseRefused, code="signature-missing"):
    """The model version was logged without a signature."""


class ParityFailed(ReleaseRefused, code="parity-failed"):
    """The exported model gives other probabilities than the registered one."""


class AliasUnknown(ReleaseRefused, code="alias-unknown"):
    """The registered model has no version under this alias."""


class InvalidMessage(MatchcastError, code="invalid-message", status=422, title="Unreadable message"):
    """A queue message is not JSON, or has a version or fields that this code does not know."""
