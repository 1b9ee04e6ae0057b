"""What a client got wrong, or asked for in vain: a 4xx with the reason."""

from __future__ import annotations

from collections.abc import Sequence

from matchcast.errors.base import MatchcastError


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


class TooManyBatches(MatchcastError, code="too-many-batches", status=429, title="Too many open batches"):
    """The tenant has as many open batches as it may have; one has to end first."""

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


class BatchNotFound(NotFound, code="batch-not-found", title="Unknown batch"):
    """No batch of this tenant has this id."""


class InputNotFound(NotFound, code="input-not-found", title="Unknown input file"):
    """The tenant has uploaded no file under this key."""


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


class BatchGone(MatchcastError, code="batch-gone", status=410, title="Batch expired"):
    """The batch has expired; its files are no longer kept."""


class UnsupportedMediaType(MatchcastError, code="unsupported-media-type", status=415, title="Unsupported media type"):
    """The Content-Type of the body is not JSON."""


class InvalidMessage(MatchcastError, code="invalid-message", status=422, title="Unreadable message"):
    """A queue message is not JSON, or has a version or fields that this code does not know."""


class InputRefused(MatchcastError, code="input-refused", status=422, title="Unreadable input"):
    """The input file of a batch cannot be read as what its name says, or its columns are not the model's."""
