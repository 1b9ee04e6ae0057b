"""The routes of a SAM `HttpApi` as resources of their own: the engine does not read them from an OpenAPI body."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

API_ID = "f007ba11"
"""The engine takes an API's id from this tag's value (eight hexadecimal digits), so the address never changes."""
API_ID_TAG = "ms-custom-id"

Resource = dict[str, Any]
ANY_METHOD = "x-amazon-apigateway-any-method"


def expand_http_apis(template: Mapping[str, Any]) -> dict[str, Resource]:
    """Return the template's resources with every API body expanded into integrations, routes and authorizers."""
    resources: dict[str, Resource] = {}
    for name, resource in template["Resources"].items():
        is_described = resource["Type"] == "AWS::ApiGatewayV2::Api" and "Body" in resource["Properties"]
        resources |= expand(name, resource) if is_described else {name: resource}
    return resources


def expand(api: str, resource: Resource) -> dict[str, Resource]:
    """Return an API without a body, and the resources that its body described."""
    body = resource["Properties"]["Body"]
    schemes = body.get("components", {}).get("securitySchemes", {})
    common = {"Condition": resource["Condition"]} if "Condition" in resource else {}
    expanded: dict[str, Resource] = {api: {**resource, "Properties": api_properties(resource["Properties"], body)}}

    def add(name: str, kind: str, properties: Mapping[str, Any]) -> None:
        described = {"ApiId": {"Ref": api}, **properties}
        expanded[name] = {**common, "Type": f"AWS::ApiGatewayV2::{kind}", "Properties": described}

    for name, scheme in schemes.items():
        authorizer = authorizer_properties(scheme["x-amazon-apigateway-authorizer"])
        add(f"{api}{name}Authorizer", "Authorizer", {"Name": name, **authorizer})
    integrations: dict[str, str] = {}
    for number, (route_key, operation) in enumerate(operations(body)):
        integration = operation["x-amazon-apigateway-integration"]
        identity = json.dumps(integration, sort_keys=True)
        if identity not in integrations:
            integrations[identity] = f"{api}Integration{len(integrations)}"
            add(integrations[identity], "Integration", integration_properties(integration))
        target = {"Fn::Join": ["/", ["integrations", {"Ref": integrations[identity]}]]}
        authorization = route_authorization(api, operation, schemes)
        add(f"{api}Route{number}", "Route", {"RouteKey": route_key, "Target": target, **authorization})
    return expanded


def api_properties(properties: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """Return an API's properties: its name and CORS rules come from the body, its id is fixed."""
    kept = {key: value for key, value in properties.items() if key not in {"Body", "FailOnWarnings"}}
    cors = body.get("x-amazon-apigateway-cors")
    # The engine keeps these rules as they are written, and reads them under the camel case names of the API.
    return {
        **kept,
        "Name": properties.get("Name", body.get("info", {}).get("title", {"Ref": "AWS::StackName"})),
        "ProtocolType": "HTTP",
        "Tags": {**properties.get("Tags", {}), API_ID_TAG: API_ID},
        **({"CorsConfiguration": cors} if cors else {}),
    }


def authorizer_properties(authorizer: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JWT authorizer's properties."""
    jwt = authorizer["jwtConfiguration"]
    source = authorizer.get("identitySource", "$request.header.Authorization")
    return {
        "AuthorizerType": "JWT",
        "IdentitySource": source if isinstance(source, list) else [source],
        "JwtConfiguration": {"Issuer": jwt["issuer"], "Audience": jwt["audience"]},
    }


def operations(body: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each operation of the body with the route key that API Gateway makes of it."""
    for path, item in body["paths"].items():
        for method, operation in item.items():
            verb = "ANY" if method == ANY_METHOD else method.upper()
            yield ("$default" if path.strip("/") == "$default" else f"{verb} {path}"), operation


def integration_properties(integration: Mapping[str, Any]) -> dict[str, Any]:
    """Return the properties of a Lambda proxy integration."""
    return {
        "IntegrationType": integration["type"].upper(),
        "IntegrationUri": integration["uri"],
        "PayloadFormatVersion": integration.get("payloadFormatVersion", "2.0"),
        "TimeoutInMillis": integration.get("timeoutInMillis", 30_000),
    }


def route_authorization(api: str, operation: Mapping[str, Any], schemes: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a route requires of a token; a route that names no known authorizer requires none."""
    for requirement in operation.get("security", []):
        for name, scopes in requirement.items():
            if name in schemes:
                return {
                    "AuthorizationType": "JWT",
                    "AuthorizerId": {"Ref": f"{api}{name}Authorizer"},
                    "AuthorizationScopes": list(scopes),
                }
    return {"AuthorizationType": "NONE"}
