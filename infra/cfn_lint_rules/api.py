"""Rules E9041 and E9042: the API's routes are closed, and the same with and without their last slash."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cfn_lint_rules import _rule as base

OPEN_PATHS = {"/health", "/docs", "/openapi.json", "$default"}
ENDINGS = ("", "/", "/{proxy+}")
ANYTHING_ELSE = ("X-AMAZON-APIGATEWAY-ANY-METHOD", "$default")
Routes = dict[tuple[str, str], dict[str, Any]]
"""Operations of an OpenAPI body by method and path."""


class RoutesTakeTheLastSlash(base.Rule):
    """Every route exists as /path, /path/ and /path/{proxy+}, to the same function under the same scopes."""

    id = "E9041"
    shortdesc = "Routes take the last slash"
    description = "Clients take /path and /path/ for one; API Gateway knows the second only as /path/{proxy+}"

    def problems(self, template: base.Template) -> Iterator[base.Problem]:
        """Yield forms of a route that are missing, or that do something else than the others."""
        for api, routes in routes_of(template).items():
            for method, path in sorted({(method, bare(path)) for method, path in routes} - {ANYTHING_ELSE}):
                forms = [(method, path + ending) for ending in ENDINGS]
                for missing in (form for form in forms if form not in routes):
                    yield ["Resources", api], f"{method} {path} has no {' '.join(missing)}"
                targets = [target_of(routes[form]) for form in forms if form in routes]
                if any(target != targets[0] for target in targets):
                    yield ["Resources", api], f"The forms of {method} {path} differ in function or scope"


class RoutesAreClosed(base.Rule):
    """Every route but health, documentation and the default one needs a token with a scope."""

    id = "E9042"
    shortdesc = "Routes are closed"
    description = "A route without an authorizer and a scope answers anybody"

    def problems(self, template: base.Template) -> Iterator[base.Problem]:
        """Yield routes that ask for no scope but should, and open ones that ask for one."""
        for api, routes in routes_of(template).items():
            for (method, path), route in routes.items():
                is_open = bare(path) in OPEN_PATHS
                scopes = scopes_of(route)
                if not scopes and not is_open:
                    yield ["Resources", api], f"{method} {path} asks for no scope"
                elif scopes and is_open:
                    yield ["Resources", api], f"{method} {path} asks for a scope, but is for everybody"


def bare(path: str) -> str:
    """Return a route's path without the ending that its other forms have."""
    return path.removesuffix("{proxy+}").rstrip("/")


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
