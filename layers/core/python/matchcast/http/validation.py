"""What every request has to be before its route runs: known parameters, each sent once, and a JSON body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from aws_lambda_powertools.event_handler.middlewares.openapi_validation import OpenAPIRequestValidationMiddleware

from matchcast.echo import quoted
from matchcast.errors import FieldError, InvalidRequest, UnsupportedMediaType
from matchcast.http.bodies import RequestBody, read_object

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import Response
    from aws_lambda_powertools.event_handler.api_gateway import Route
    from aws_lambda_powertools.event_handler.middlewares import NextMiddleware
    from aws_lambda_powertools.event_handler.types import EventHandlerInstance


_CHARSETS = {"utf-8", "utf8", "us-ascii"}


class RequestValidation(OpenAPIRequestValidationMiddleware):
    """Powertools' validation of requests, without its forms, uploads and lenient arrays."""

    def handler(self, app: EventHandlerInstance, next_middleware: NextMiddleware) -> Response[Any]:
        """Answer a request that names unknown parameters, or hand it on."""
        _demand_known_parameters(app.context["_route"], app.current_event)
        answer: Response[Any] = super().handler(app, next_middleware)
        return answer

    def _get_body(self, app: EventHandlerInstance) -> dict[str, Any]:
        event = app.current_event
        if not _is_json(event.headers.get("content-type") or "application/json"):
            raise UnsupportedMediaType("The body has to be JSON. Send the header Content-Type: application/json.")
        if (event.headers.get("content-encoding") or "identity").strip().lower() != "identity":
            raise UnsupportedMediaType("The body is encoded. Send it as it is, without Content-Encoding.")
        (parameter,) = app.context["_route"].dependant.body_params
        model: type[RequestBody] = parameter.type_
        return read_object(event["body"], is_base64=event["isBase64Encoded"], max_bytes=model.max_bytes)


def _demand_known_parameters(route: Route, event: Any) -> None:
    """Raise if the query names a parameter that the route does not have, or one twice.

    Raises
    ------
    InvalidRequest
        With one error for each of them.
    """
    known = {parameter.alias for parameter in route.dependant.query_params}
    # The gateway joins what is sent twice by a comma; only the raw query tells it from a value with a comma.
    sent = [name for name, _ in parse_qsl(event["rawQueryString"], keep_blank_values=True)]
    seen: set[str] = set()
    errors: list[FieldError] = []
    for name in dict.fromkeys([*event["queryStringParameters"], *sent]):
        if name not in known:
            there = f"there are {', '.join(sorted(known))}" if known else "this resource has none"
            errors.append(FieldError(f"There is no parameter {quoted(name)}; {there}.", parameter=name))
    for name in sent:
        if name in seen and name in known:
            errors.append(FieldError("The parameter is sent more than once; send it once.", parameter=name))
        seen.add(name)
    if errors:
        detail = errors[0].detail if len(errors) == 1 else f"{len(errors)} parameters are wrong; `errors` says why."
        raise InvalidRequest(detail, errors)


def _is_json(content_type: str) -> bool:
    kind, *parameters = (part.strip().lower() for part in content_type.split(";"))
    named = (parameter.partition("=") for parameter in parameters)
    charsets = {value.strip('" ') for name, _, value in named if name == "charset"}
    return charsets <= _CHARSETS and _is_json_type(kind)


def _is_json_type(kind: str) -> bool:
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))
