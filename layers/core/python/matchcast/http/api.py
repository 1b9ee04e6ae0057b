"""The resolver behind every HTTP function, and the body of every HTTP handler."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import unquote

import orjson
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response, content_types
from aws_lambda_powertools.event_handler.api_gateway import ResponseBuilder, Route
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from matchcast.deadline import within
from matchcast.echo import cut
from matchcast.errors import (
    InvalidRequest,
    MatchcastError,
    MethodNotAllowed,
    RouteNotFound,
    WaitOver,
)
from matchcast.http.asking import source_of
from matchcast.http.events import ANSWER_TIME, arrived, complete
from matchcast.http.problems import field_errors, problem_response, summary
from matchcast.http.routes import DOCUMENTATION, PATHS, KnownPaths, path_pattern
from matchcast.http.tokens import tenant_of
from matchcast.http.validation import RequestValidation
from matchcast.observability import CountedRequest, count_fault, flushed_metrics, logger
from matchcast.settings import HttpSettings


class Api(APIGatewayHttpResolver):
    """Routes of one function, with validated input and one error body.

    Paths with and without the trailing slash are the same route. HEAD is answered like GET, without the body.
    Every error becomes `application/problem+json`; an unexpected one is logged and answered without its reason.

    A route with `security` is answered only for a token that names a tenant, also where the answer is the same for all.
    Every request that asks for predictions is counted once, however it ends (`asked`).

    Parameters
    ----------
    settings
        Returns the settings that all functions of the API share.

    Examples
    --------
    >>> api = Api()
    >>> @api.get("/things/<name>")
    ... def thing(name: str) -> dict[str, str]:
    ...     return {"name": name}
    >>> def lambda_handler(event, context):
    ...     return serve(api, event, context)
    """

    def __init__(self, settings: Callable[[], HttpSettings] = HttpSettings) -> None:
        # 500: an answer that fails its own model is the service's fault, not the client's (422 by default).
        super().__init__(enable_validation=True, response_validation_error_http_code=500, serializer=_to_json)
        self._request_validation_middleware = RequestValidation()  # type: ignore[no-untyped-call]
        self.settings = settings
        self.asked = CountedRequest()
        self.exception_handler(RequestValidationError)(self._on_invalid)
        self.exception_handler(MatchcastError)(self._on_error)
        self.exception_handler(Exception)(self._on_unexpected)

    @property
    def routes(self) -> list[Route]:
        """Return the routes of the function."""
        return [*self._static_routes, *self._dynamic_routes]

    @property
    def request_id(self) -> str:
        """Return the gateway's id of this request, which the client sees too."""
        return str(self._request_context.get("requestId", ""))

    @property
    def claims(self) -> dict[str, Any]:
        """Return the claims of the request's verified token; none on a route without an authorizer."""
        authorizer = self._request_context.get("authorizer") or {}
        claims: dict[str, Any] = (authorizer.get("jwt") or {}).get("claims") or {}
        return claims

    @property
    def tenant(self) -> str:
        """Return the tenant that the request's token names.

        Raises
        ------
        TenantMissing, TenantInvalid
            If the token names none.
        """
        return tenant_of(self.claims, self.settings().tenant_claim)

    def resolve(self, event: Any, context: Any) -> dict[str, Any]:
        """Answer the event of one request, whatever is missing in it."""
        request = complete(event)
        http = request["requestContext"]["http"]
        without_body = http["method"] == "HEAD"
        if without_body:
            http["method"] = "GET"
            # HEAD changes nothing (RFC 9110), so it makes no task.
            request["headers"].pop("prefer", None)
        answer: dict[str, Any] = super().resolve(request, context)
        if without_body:
            answer |= {"body": "", "isBase64Encoded": False}
        return answer

    @property
    def _request_context(self) -> dict[str, Any]:
        return self.current_event.get("requestContext") or {}

    @property
    def _paths(self) -> KnownPaths:
        known = {path: list(methods) for path, methods in PATHS.items()}
        for route in self.routes:
            known.setdefault(route.openapi_path, []).append(route.method)
        documented = self.settings().docs_enabled
        return KnownPaths({path: methods for path, methods in known.items() if documented or path not in DOCUMENTATION})

    def _call_route(self, route: Route, route_arguments: dict[str, str]) -> ResponseBuilder[Any]:
        path = self.current_event.path
        if route_arguments and route.method not in (self._paths.methods(path) or [route.method]):
            return self._handle_not_found(route.method, path)  # a fixed path that a placeholder would fit
        self.asked = CountedRequest(source_of(route.method, route.openapi_path, self.current_event.headers))
        status = 500
        try:
            answer = self._answer(route, route_arguments)
            status = answer.response.status_code
        finally:
            self.asked.end(status)
        return answer

    def _answer(self, route: Route, route_arguments: dict[str, str]) -> ResponseBuilder[Any]:
        if route.security:
            try:
                _ = self.tenant
            except MatchcastError as error:
                return ResponseBuilder(self._on_error(error), serializer=self._serializer)
        return super()._call_route(route, route_arguments)

    @staticmethod
    def _compile_regex(rule: str, base_regex: str = "") -> re.Pattern[str]:  # noqa: ARG004 - the slash is optional here
        return path_pattern(rule)

    def _convert_matches_into_route_keys(self, match: re.Match[str]) -> dict[str, str]:
        return {name: unquote(value) for name, value in match.groupdict().items()}

    def _to_response(self, result: Any) -> Response[Any]:
        response = cast("Response[Any]", super()._to_response(result))
        if "Content-Type" not in response.headers and response.body is not None:
            response.headers["Content-Type"] = content_types.APPLICATION_JSON
        return response

    def _handle_not_found(self, method: str, path: str) -> ResponseBuilder[Any]:
        methods = self._paths.methods(path)
        error: MatchcastError
        if methods and method not in methods:
            allow = sorted(methods)
            error = MethodNotAllowed(f"{cut(method)} is not allowed here; {' and '.join(allow)} can be used.", allow)
        else:
            hint = "; GET /openapi.json lists all that there is" if self.settings().docs_enabled else ""
            error = RouteNotFound(f"There is nothing under this path{hint}.")
        return ResponseBuilder(self._on_error(error), serializer=self._serializer)

    def _on_invalid(self, error: RequestValidationError) -> Response[str]:
        errors = field_errors(error.errors())
        return self._on_error(InvalidRequest(summary(errors), errors))

    def _on_error(self, error: MatchcastError) -> Response[str]:
        if error.is_defect:
            # A client cannot help by trying again, so it is told of a fault of ours.
            logger.error("call refused", extra={"code": error.code, "detail": error.detail})
            error = MatchcastError(error.detail)
        elif error.status >= 500:
            logger.warning("request failed", extra={"code": error.code, "detail": error.detail})
        self.asked.is_abandoned = isinstance(error, WaitOver)
        if error.status >= 500 and not self.asked.is_abandoned:
            count_fault()
        return self._problem(error)

    def _on_unexpected(self, error: Exception) -> Response[str]:
        logger.exception("unexpected error", exc_info=error)
        count_fault()
        return self._problem(MatchcastError(""))

    def _problem(self, error: MatchcastError) -> Response[str]:
        """Return the problem; on a route that takes preferences, caches have to know that it depends on them."""
        route = self.context.get("_route")
        prefers = route is not None and any(param.alias.lower() == "prefer" for param in route.dependant.header_params)
        headers = {"Vary": "Prefer"} if prefers else None
        return problem_response(error, path=self.current_event.path, request_id=self.request_id, headers=headers)


def serve(api: Api, event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one HTTP API request (payload 2.0) in time; logs carry its id, and its metrics are flushed."""
    request = complete(event)
    logger.append_keys(
        correlation_id=cut(request["requestContext"]["requestId"]),
        function_request_id=getattr(context, "aws_request_id", None),
    )
    now = datetime.now(UTC)
    with flushed_metrics(), within((arrived(request, now) + ANSWER_TIME - now).total_seconds()):
        answer: dict[str, Any] = api.resolve(request, context)
        # A 304 has no body; an empty text says so to every gateway, where not all of them take a null.
        answer["body"] = answer.get("body") or ""
        return answer


def _to_json(content: Any) -> str:
    return orjson.dumps(content).decode()
