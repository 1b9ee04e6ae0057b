"""Every error that the product raises on purpose, with its HTTP status and stable code.

The tree::

    MatchcastError
    ├── InvalidRequest            422  the caller's fields are wrong; `errors` says which
    ├── KeyMalformed              400  the Idempotency-Key header is no key
    ├── TenantMissing             403  the token lacks the tenant claim
    ├── ScopeMissing              403  the token lacks a scope that this way of asking needs
    ├── NotFound                  404
    │   ├── RouteNotFound
    │   ├── MatchNotFound
    │   ├── StageNotFound
    │   ├── TaskNotFound
    │   └── CursorNotFound
    ├── MethodNotAllowed          405
    ├── Conflict                  409
    │   └── TaskOver                   the task ended without a result
    ├── TooManyTasks              429  the tenant has as many open tasks as it may have
    ├── TaskGone                  410  the task was readable once and has expired
    ├── UnsupportedMediaType      415  the body is not sent as JSON
    ├── Transient                 503  trying again may help
    │   ├── ModelUnavailable
    │   ├── SnapshotUnavailable
    │   ├── StorageUnavailable
    │   ├── QueueUnavailable
    │   └── InferenceUnavailable
    ├── ModelFailed               503  the model answered with something that is no prediction
    ├── DeadlineExceeded          504  the answer would have come too late
    ├── ReleaseRefused            409  a model or snapshot that must not be served
    │   ├── DigestMismatch
    │   ├── ManifestInvalid
    │   ├── ReleaseRaceLost
    │   ├── SignatureMissing
    │   ├── ParityFailed
    │   └── AliasUnknown
    └── InvalidMessage            422  a queue message that nobody can read (poisoned)

The HTTP layer, the worker and the command line each catch the base class once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """One invalid field: a JSON Pointer into the body, or the name of a parameter or header."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None
    header: str | None = None

    def as_dict(self) -> dict[str, str]:
        """Return the parts that are set, as they appear in `errors[]` of a problem."""
        parts = {
            "detail": self.detail,
            "pointer": self.pointer,
            "parameter": self.parameter,
            "header": self.header,
        }
        return {name: value for name, value in parts.items() if value is not None}


class MatchcastError(Exception):
    """An error with a stable `code`, an HTTP `status`, a `title` and, where fields are wrong, `errors`.

    `detail` is for logs and operators. `public_detail` is what a client may read: for faults behind the
    service that is `public`, because their details name buckets, keys and tables.
    """

    code: ClassVar[str] = "internal-error"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"
    public: ClassVar[str] = ""

    def __init__(self, detail: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)

    @property
    def public_detail(self) -> str:
        """Return what a client may read of this error: nothing internal."""
        if self.public:
            return self.public
        if self.status < 500:
            return self.detail
        return "The service could not answer. The request_id helps its operators to find out why."


class InvalidRequest(MatchcastError):
    """The request can be read, but its fields are wrong."""

    code = "invalid-request"
    status = 422
    title = "Invalid request"


class TenantMissing(MatchcastError):
    """The token carries no tenant claim, so no data can be attributed."""

    code = "tenant-missing"
    status = 403
    title = "Token without a tenant"


class KeyMalformed(MatchcastError):
    """The Idempotency-Key header is not a key of 1 to 255 visible ASCII characters."""

    code = "idempotency-key-malformed"
    status = 400
    title = "Malformed Idempotency-Key"


class ScopeMissing(MatchcastError):
    """The token may not do this; it lacks a scope."""

    code = "scope-missing"
    status = 403
    title = "Token without the scope"


class TooManyTasks(MatchcastError):
    """The tenant has as many open tasks as it may have; some have to end first."""

    code = "too-many-tasks"
    status = 429
    title = "Too many open tasks"

    def __init__(self, detail: str, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class NotFound(MatchcastError):
    """What was asked for is not there, or not the caller's to see."""

    code = "not-found"
    status = 404
    title = "Not found"


class RouteNotFound(NotFound):
    """No route has this path."""

    code = "route-not-found"
    title = "No such route"


class MatchNotFound(NotFound):
    """No match of the snapshot has this id."""

    code = "match-not-found"
    title = "Unknown match"


class StageNotFound(NotFound):
    """No model is published under this stage."""

    code = "stage-not-found"
    title = "Unknown stage"


class TaskNotFound(NotFound):
    """No task of this tenant has this id."""

    code = "task-not-found"
    title = "Unknown task"


class CursorNotFound(NotFound):
    """The cursor was issued to somebody else, or for another list."""

    code = "cursor-not-found"
    title = "Unknown cursor"


class MethodNotAllowed(MatchcastError):
    """The path exists, but not with this method; `allow` names those that do."""

    code = "method-not-allowed"
    status = 405
    title = "Method not allowed"

    def __init__(self, detail: str, allow: Sequence[str]) -> None:
        super().__init__(detail)
        self.allow = tuple(allow)


class Conflict(MatchcastError):
    """The state of the resource does not allow this."""

    code = "conflict"
    status = 409
    title = "Conflict"


class TaskOver(Conflict):
    """The task ended as failed, cancelled or expired: there is no result."""

    code = "task-over"
    title = "Task ended without a result"


class TaskGone(MatchcastError):
    """The task has expired; its result is no longer kept."""

    code = "task-gone"
    status = 410
    title = "Task expired"


class UnsupportedMediaType(MatchcastError):
    """The Content-Type of the body is not JSON."""

    code = "unsupported-media-type"
    status = 415
    title = "Unsupported media type"


class Transient(MatchcastError):
    """Something behind the service is out of reach; the same request may succeed later."""

    code = "unavailable"
    status = 503
    title = "Temporarily unavailable"


class ModelUnavailable(Transient):
    """No model could be loaded yet."""

    code = "model-unavailable"
    public = "No model can be loaded at present. Try again in a moment."


class SnapshotUnavailable(Transient):
    """No snapshot could be loaded yet."""

    code = "snapshot-unavailable"
    public = "No snapshot of matches can be read at present. Try again in a moment."


class StorageUnavailable(Transient):
    """The tasks table or the data bucket did not answer."""

    code = "storage-unavailable"
    public = "The storage did not answer. Nothing was changed; try again in a moment."


class QueueUnavailable(Transient):
    """The queue did not take the message."""

    code = "queue-unavailable"
    public = "The queue did not take the task. Nothing was accepted; try again in a moment."


class InferenceUnavailable(Transient):
    """The inference function could not be run."""

    code = "inference-unavailable"
    public = "The prediction could not be run at present. Try again in a moment."


class ModelFailed(MatchcastError):
    """The model answered with something that is no prediction; trying again gives the same."""

    code = "model-failed"
    status = 503
    title = "The model failed"
    public = "The model gave no usable answer for this input. The same request will fail again."


class DeadlineExceeded(MatchcastError):
    """The prediction did not finish within the time that the caller can wait."""

    code = "deadline-exceeded"
    status = 504
    title = "Deadline exceeded"
    public = "The prediction did not finish in time. Ask again, or submit it to /predict/async/."


class ReleaseRefused(MatchcastError):
    """A model version or snapshot is not fit to be served; what was served stays."""

    code = "release-refused"
    status = 409
    title = "Release refused"


class DigestMismatch(ReleaseRefused):
    """A file's SHA-256 or size is not the one that its manifest names."""

    code = "digest-mismatch"
    public = "A published file is not the one that was announced; the last good release is served."


class ManifestInvalid(ReleaseRefused):
    """A manifest is missing, is not JSON, or has another schema version."""

    code = "manifest-invalid"
    public = "The newest release cannot be read; the last good release is served."


class ReleaseRaceLost(ReleaseRefused):
    """Somebody else switched the manifest first."""

    code = "release-race-lost"


class SignatureMissing(ReleaseRefused):
    """The model version was logged without a signature."""

    code = "signature-missing"


class ParityFailed(ReleaseRefused):
    """The exported model gives other probabilities than the registered one."""

    code = "parity-failed"


class AliasUnknown(ReleaseRefused):
    """The registered model has no version under this alias."""

    code = "alias-unknown"


class InvalidMessage(MatchcastError):
    """A queue message is not JSON, or has a version or fields that this code does not know."""

    code = "invalid-message"
    status = 422
    title = "Unreadable message"
