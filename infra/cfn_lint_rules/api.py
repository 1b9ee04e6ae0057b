"""Rules E9041 and E9042: the API's routes are closed, and the same with and without their last slash."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from infra.cfn_lint_rules import _rule as base

OPEN_PATHS = {"/health", "/docs", "/openapi.json", "$default"}
Routes = dict[tuple[str, str], dict[str, Any]]
"""Operations of an OpenAPI body by method and path."""


class RoutesTakeBothSlashes(base.Rule):
    """Every route exists with and without the slash at its end, to the same function under the same scopes."""

    id = "E9041"
    shortdesc = "Routes take both slashes"
    description = "An HTTP API takes /path and /path/ for two routes; clients take them for one"

    def problems(self, template: base.Template) -> Iterator[base.Problem]:
        """Yield routes that lack their other form, or whose other form does something else."""
        for api, routes in routes_of(template).items():
            for (method, path), route in routes.items():
                other = path.rstrip("/") if path.endswith("/") else f"{path}/"
                if path == "$default":
                    continue
                if (method, other) not in routes:
                    yield ["Resources", api], f"{method} {path} has no {method} {other}"
                elif target_of(routes[method, other]) != target_of(route):
                    yield ["Resources", api], f"{method} {path} and {method} {other} differ in function or scope"


class RoutesAreClosed(base.Rule):
    """Every route but health, documentation and the default one needs a token with a scope."""

    id = "E9042"
    shortdesc = "Routes are closed"
    description = "A route without an authorizer and a scope answers anybody"

    def problems(self, template: base.Template) -> Iterator[base.Problem]:
        """Yield routes that ask for no scope but should, and open ones that ask for one."""
        for api, routes in routes_of(template).items():
            for (method, path), route in routes.items():
                is_open = (path.rstrip("/") or path) in OPEN_PATHS
                scopes = scopes_of(route)
                if not scopes and not is_open:
                    yield ["Resources", api], f"{method} {path} asks for no scope"
                elif scopes and is_open:
                    yield ["Resources", api], f"{method} {path} asks for a scope, but is for everybody"


def routes_of(template: base.Template) -> dict[str, Routes]:
    """Return the routes in the body of each HTTP API, by its logical id."""
    return {
        name: {
            (method.upper(), path): operation
            for path, operations in api.get("Body", {}).get("paths", {}).items()
            for method, operation in operations.items()
            if isinstance(operation, dict)
        }
        for name, api in base.of_type(template, "AWS::ApiGatewayV2::Api").items()
    }


def scopes_of(route: dict[str, Any]) -> list[str]:
    """Return the scopes that a route asks for."""
    return [
        scope
        for requirement in route.get("security", [])
        for authorizer, scopes in requirement.items()
        if authorizer != "NONE"
        for scope in scopes
    ]


def target_of(route: dict[str, Any]) -> tuple[Any, list[str]]:
    """Return where a route leads and what it asks for."""
    return route.get("x-amazon-apigateway-integration", {}).get("uri"), scopes_of(route)
