"""The one place where errors of the AWS SDK become errors of the product."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
)

from matchcast.errors import Transient

_OURS = (ParamValidationError, NoCredentialsError, PartialCredentialsError)
# Refusals of the call itself: permissions and names that are wrong, values that a service does not take. AWS ends
# the codes of one kind in different ways, so their beginnings are compared.
_REFUSALS = (
    "AccessDenied",
    "AuthorizationError",
    "ExpiredToken",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidAddress",
    "InvalidArgument",
    "InvalidClientTokenId",
    "InvalidMessageContents",
    "InvalidParameter",
    "InvalidRequestContent",
    "InvalidSignature",
    "KMS.AccessDenied",
    "KMS.NotFound",
    "MissingAuthenticationToken",
    "MissingParameter",
    "NoSuchBucket",
    "NonExistentQueue",
    "QueueDoesNotExist",
    "RequestEntityTooLarge",
    "RequestTooLarge",
    "ResourceNotFound",
    "SerializationException",
    "SignatureDoesNotMatch",
    "UnrecognizedClient",
    "ValidationError",
    "ValidationException",
)


@contextmanager
def unavailable_as(error_type: type[Transient], what: str) -> Iterator[None]:
    """Raise SDK errors inside the block as `error_type`; `what` names the service in the product's words."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise unavailable(error, error_type, what) from error


def unavailable(error: ClientError | BotoCoreError, error_type: type[Transient], what: str) -> Transient:
    """Return an SDK error as `error_type`, which knows whether the call itself was refused."""
    reason = error_code(error) or type(error).__name__
    is_refusal = is_defect(error)
    raised = error_type(f"{what} {'refused the call' if is_refusal else 'did not answer'} ({reason}).")
    raised.is_defect = is_refusal
    return raised


def is_defect(error: Exception) -> bool:
    """Return whether a call can only fail again until somebody repairs the service or its permissions."""
    code = error_code(error).removeprefix("AWS.SimpleQueueService.")
    return isinstance(error, _OURS) or (bool(code) and code.startswith(_REFUSALS))


def error_code(error: Exception) -> str:
    """Return the service's error code, or an empty string for an error from below the service."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""
