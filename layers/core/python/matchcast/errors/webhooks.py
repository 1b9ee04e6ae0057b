"""What can be wrong with a callback: its address, its signing secrets, its receiver."""

from __future__ import annotations

from matchcast.errors.base import MatchcastError
from matchcast.errors.requests import Conflict, NotFound


class AddressRefused(MatchcastError, code="address-refused", status=422, title="Address refused"):
    """A callback address has a form that is not allowed, or leads inside."""


class DeliveryFailed(MatchcastError, code="delivery-failed", title="No answer from the receiver"):
    """A receiver gave no answer; `cause` is a short code that says why."""

    def __init__(self, detail: str, cause: str) -> None:
        super().__init__(detail)
        self.cause = cause


class SecretMissing(Conflict, code="webhook-secret-missing", title="No signing secret"):
    """The tenant has no live secret that could sign its callbacks."""


class TooManySecrets(Conflict, code="too-many-secrets", title="Too many signing secrets"):
    """The tenant has as many live secrets as it may have; one has to end first."""


class SecretNotFound(NotFound, code="secret-not-found", title="Unknown signing secret"):
    """No signing secret of this tenant has this id."""


class EndpointNotFound(NotFound, code="endpoint-not-found", title="Unknown endpoint"):
    """No endpoint of this tenant that fails or is disabled has this id."""
