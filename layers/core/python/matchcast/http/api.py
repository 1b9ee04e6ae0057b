"""The resolver behind every HTTP function, and the body of every HTTP handler."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, cast
from urllib.parse import unquote

import orjson
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response, content_types
from aws_lambda_powertools.event_handler.api_gateway import ResponseBuilder, Route
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from matchcast.errors import InvalidRequest, MatchcastError, MethodNotAllowed, RouteNotFound, TenantMissing
from matchcast.http.bodies import JsonBodies
from matchcast.http.problems import field_errors, problem_response, summary
from matchcast.http.routes import PATHS, KnownPaths, path_pattern
from matchcast.observability import flushed_metrics, logger


class Api(APIGatewayHttpResolver):
    """Routes of one function, with validated input and one error body.

    Paths with and without the trailing slash are the same route. Every error becomes
    `application/problem+json`; an unexpected one is logged and answered without its reason.

    Parameters
    ----------
    known
        Returns all paths that exist, with their methods: these distinguish a 405 from a 404. By default those
        of the API and the function's own routes.

    Examples
    --------
    >>> api = Api()
    >>> @api.get("/things/<name>")
    ... def thing(name: str) -> dict[str, str]:
    ...     return {"name": name}
    >>> def lambda_handler(event, context):
    ...     return serve(api, event, context)
    """

    def __init__(self, known: Callable[[], Mapping[str, Any]] | None = None) -> None:
        # 500: an answer that fails its own model is the service's fault, not the client's (422 by default).
        super().__init__(enable_validation=True, response_validation_error_http_code=500, serializer=_to_json)
        self._request_validation_middleware = JsonBodies()  # type: ignore[no-untyped-call]
        self._known = known
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

    def tenant(self, claim: str) -> str:
        """Return the tenant that the request's token names.

        Raises
        ------
        TenantMissing
            If the token lacks the claim.
        """
        tenant = self.claims.get(claim)
        if not isinstance(tenant, str) or not tenant:
            raise TenantMissing(f"The token has no claim '{claim}', which names the tenant; ask for another token.")
        return tenant

    @property
    def _request_context(self) -> dict[str, Any]:
        return self.current_event.get("requestContext") or {}

    @cached_property
    def _paths(self) -> KnownPaths:
        if self._known is not None:
            return KnownPaths(self._known())
        known = {path: list(methods) for path, methods in PATHS.items()}
        for route in self.routes:
            known.setdefault(route.openapi_path, []).append(route.method)
        return KnownPaths(known)

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
            error = MethodNotAllowed(f"{method} is not allowed here; {' and '.join(allow)} can be used.", allow)
        else:
            error = RouteNotFound("There is nothing under this path; GET /openapi.json lists all that there is.")
        return ResponseBuilder(self._on_error(error), serializer=self._serializer)

    def _on_invalid(self, error: RequestValidationError) -> Response[str]:
        errors = field_errors(error.errors())
        return self._on_error(InvalidRequest(summary(errors), errors))

    def _on_error(self, error: MatchcastError) -> Response[str]:
        if error.status >= 500:
            logger.warning("request failed", extra={"code": error.code, "detail": error.detail})
        return problem_response(error, path=self.current_event.path, request_id=self.request_id)

    def _on_unexpected(self, error: Exception) -> Response[str]:
        logger.exception("unexpected error", exc_info=error)
        return problem_response(MatchcastError(""), path=self.current_event.path, request_id=self.request_id)


def serve(api: Api, event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one HTTP API request (payload 2.0); logs carry its id, and its metrics are flushed."""
    logger.append_keys(
        correlation_id=event.get("requestContext", {}).get("requestId"),
        function_request_id=getattr(context, "aws_request_id", None),
    )
    with flushed_metrics():
        answer: dict[str, Any] = api.resolve(event, context)
        # A 304 has no body; an empty text says so to every gateway, where not all of them take a null.
        answer["body"] = answer.get("body") or ""
        return answer


def _to_json(content: Any) -> str:
    return orjson.dumps(content).decode()
