"""Reading request bodies: JSON objects and nothing else, with the reason when one is not."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

import orjson
from aws_lambda_powertools.event_handler.middlewares.openapi_validation import OpenAPIRequestValidationMiddleware

from matchcast.errors import FieldError, InvalidRequest, UnsupportedMediaType

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler.types import EventHandlerInstance


class JsonBodies(OpenAPIRequestValidationMiddleware):
    """Powertools' validation of requests, without its forms, uploads and lenient arrays."""

    def _get_body(self, app: EventHandlerInstance) -> dict[str, Any]:
        event = app.current_event
        content_type = event.headers.get("content-type") or "application/json"
        if not _is_json(content_type):
            raise UnsupportedMediaType("The body has to be JSON. Send the header Content-Type: application/json.")
        return read_object(event.get("body"), is_base64=bool(event.get("isBase64Encoded")))


def read_object(body: str | None, *, is_base64: bool) -> dict[str, Any]:
    """Return the JSON object in a request body.

    Raises
    ------
    InvalidRequest
        With the pointer "" if the body is empty, not JSON, or another kind of value.
    """
    if not body:
        raise _invalid("The body is empty; send a JSON object.")
    try:
        content = orjson.loads(base64.b64decode(body) if is_base64 else body)
    except orjson.JSONDecodeError as error:
        reason = f"The body is not JSON (line {error.lineno}, column {error.colno}: {error.msg})."
        raise _invalid(reason) from error
    except binascii.Error as error:
        raise _invalid("The body is not JSON.") from error
    if not isinstance(content, dict):
        raise _invalid("The body is JSON, but not an object; send an object.")
    return content


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def _invalid(detail: str) -> InvalidRequest:
    return InvalidRequest(detail, [FieldError(detail=detail, pointer="")])
