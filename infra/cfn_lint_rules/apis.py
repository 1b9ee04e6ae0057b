"""Rule E9061: what strangers may ask of an HTTP API takes nothing from clients with a token."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cfn_lint_rules import _rule as base

ANY_METHOD = "x-amazon-apigateway-any-method"
DEFAULT = "$default"
THROTTLES = {"ThrottlingRateLimit", "ThrottlingBurstLimit"}


@base.rule(
    "E9061",
    "Every route without an authorizer has throttles of its own, and only routes have any",
    "Without them anybody can use up the rate of all clients; settings of a route that does not exist fail the stage",
)
def public_routes_are_throttled(template: base.Template) -> base.Problems:
    """Yield stages that leave a public route to the throttle of all routes, or name a route that is none."""
    apis = base.of_type(template, "AWS::ApiGatewayV2::Api")
    for name, stage in base.of_type(template, "AWS::ApiGatewayV2::Stage").items():
        body = apis.get(base.resource_of(stage.get("ApiId")) or "", {}).get("Body")
        if body is None:
            continue
        found, settings = dict(routes(body)), stage.get("RouteSettings", {})
        for key, is_public in found.items():
            if is_public and not settings.get(key, {}).keys() >= THROTTLES:
                yield name, f"{key} needs no token and has no throttle of its own; add it to RouteSettings"
        for key in settings.keys() - found.keys():
            yield name, f"RouteSettings name {key}, which is no route of the API"


def routes(body: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """Yield the key of each route of an OpenAPI body, and whether anybody may call it."""
    authorizers = body.get("components", {}).get("securitySchemes", {}).keys()
    for path, methods in body["paths"].items():
        for method, operation in methods.items():
            verb = "ANY" if method == ANY_METHOD else method.upper()
            key = DEFAULT if path.strip("/") == DEFAULT else f"{verb} {path}"
            asked = [choice.keys() & authorizers for choice in operation.get("security", [])]
            yield key, not asked or not all(asked)
