"""The one place where errors of the AWS SDK become errors of the product."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
)
from botocore.parsers import ResponseParserError

from matchcast.errors import MatchcastError, RequestRefused, Transient

# AWS ends the codes of one kind in different ways, so their beginnings are compared.
_INVALID = (
    "BatchRequestTooLong",
    "IncorrectKey",
    "InvalidArgument",
    "InvalidCiphertext",
    "InvalidMessageContents",
    "InvalidParameter",
    "InvalidRequestContent",
    "ItemCollectionSizeLimitExceeded",
    "MissingParameter",
    "RequestEntityTooLarge",
    "RequestTooLarge",
    "SerializationException",
    "ValidationError",
    "ValidationException",
)
"""Answers that concern the one request: it is wrong in itself, and the service is well."""
_DENIED = (
    "AccessDenied",
    "AuthorizationError",
    "DisabledException",
    "ExpiredToken",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidAddress",
    "InvalidClientTokenId",
    "InvalidSignature",
    "KMS.AccessDenied",
    "KMS.NotFound",
    "KMSInvalidState",
    "MissingAuthenticationToken",
    "NoSuchBucket",
    "NonExistentQueue",
    "NotFoundException",
    "QueueDoesNotExist",
    "ResourceNotFound",
    "SignatureDoesNotMatch",
    "UnrecognizedClient",
)
"""Answers that concern every request alike, until somebody mends a permission or a name."""
_ALWAYS = {"SendMessage": "MessageId"}
"""What says that it was done, where nothing that is read would be missed."""


Failure = ClientError | BotoCoreError | ResponseParserError
FAILURES = (ClientError, BotoCoreError, ResponseParserError)
"""What a call of the SDK raises; the last is an answer that cannot be read."""


@contextmanager
def unavailable_as(error_type: type[Transient], what: str) -> Iterator[None]:
    """Raise SDK errors inside the block as `unavailable` makes them.

    Raises
    ------
    RequestRefused
        If the service, or the SDK itself, refuses the request as invalid.
    """
    try:
        yield
    except FAILURES as error:
        raise unavailable(error, error_type, what) from error


def unavailable(error: Failure, error_type: type[Transient], what: str) -> MatchcastError:
    """Return an SDK error as an error of the product; `what` names the service in the product's words.

    An invalid request is `RequestRefused`. All else is an `error_type`: an outage, which ends. It is marked as a
    defect if it ends only when somebody mends a permission or a name, so that no client is told to try again.
    """
    reason = error_code(error) or type(error).__name__
    code = reason.removeprefix("AWS.SimpleQueueService.")
    if isinstance(error, ParamValidationError) or code.startswith(_INVALID):
        return RequestRefused(f"{what} refused a request as invalid ({reason}): {error}")
    is_defect = isinstance(error, (NoCredentialsError, PartialCredentialsError)) or code.startswith(_DENIED)
    raised = error_type(f"{what} {'refused the call' if is_defect else 'did not answer'} ({reason}).")
    raised.is_defect = is_defect
    return raised


def refuse_unreadable(operation_model: Any, response_dict: dict[str, Any], **_: Any) -> None:
    """Raise ResponseParserError for an answer that should be JSON and is not (a handler of the event `before-parse`).

    The SDK takes it for an empty answer: an item that is not there, a message that was sent. So it does with an error
    that comes as a success. An error that is no text, which the SDK cannot read at all, stays one of its status.
    """
    if response_dict["status_code"] >= 300:
        response_dict["body"] = response_dict["body"].decode(errors="replace").encode()
        return
    if operation_model.service_model.resolved_protocol != "json" or operation_model.output_shape is None:
        return
    try:
        found = orjson.loads(response_dict["body"])
    except orjson.JSONDecodeError as error:
        raise ResponseParserError(f"The answer to {operation_model.name} is no JSON.") from error
    always = _ALWAYS.get(operation_model.name)
    if not isinstance(found, dict) or "__type" in found or (always and always not in found):
        raise ResponseParserError(f"The answer to {operation_model.name} is none.")


def error_code(error: Exception) -> str:
    """Return the service's error code, or an empty string for an error from below the service."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""
