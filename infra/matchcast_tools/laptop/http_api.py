"""The routes of a SAM `HttpApi` as resources of their own: the engine does not read them from an OpenAPI body."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

API_ID = "f007ba11"
"""The engine takes an API's id from this tag's value (eight hexadecimal digits), so the address never changes."""
API_ID_TAG = "ms-custom-id"

Resource = dict[str, Any]
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "x-amazon-apigateway-any-method")


def expand_http_apis(template: Mapping[str, Any]) -> dict[str, Resource]:
    """Return the template's resources with every API body expanded into integrations, routes and authorizers."""
    resources: dict[str, Resource] = {}
    for logical_id, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::ApiGatewayV2::Api" and "Body" in properties:
            resources |= expand(logical_id, resource)
        else:
            resources[logical_id] = resource
    return resources


def expand(api: str, resource: Resource) -> dict[str, Resource]:
    """Return an API without a body, and what its body described."""
    body = resource["Properties"]["Body"]
    common = {key: resource[key] for key in ("Condition",) if key in resource}
    expanded: dict[str, Resource] = {api: {**resource, "Properties": api_properties(resource["Properties"], body)}}
    schemes = body.get("components", {}).get("securitySchemes", {})
    for name, scheme in schemes.items():
        expanded[f"{api}{name}Authorizer"] = {
            **common,
            "Type": "AWS::ApiGatewayV2::Authorizer",
            "Properties": authorizer_properties(api, name, scheme["x-amazon-apigateway-authorizer"]),
        }
    integrations: dict[str, str] = {}
    for number, (route_key, operation) in enumerate(operations(body)):
        integration = operation["x-amazon-apigateway-integration"]
        identity = json.dumps(integration, sort_keys=True)
        if identity not in integrations:
            integrations[identity] = f"{api}Integration{len(integrations)}"
            expanded[integrations[identity]] = {
                **common,
                "Type": "AWS::ApiGatewayV2::Integration",
                "Properties": integration_properties(api, integration),
            }
        expanded[f"{api}Route{number}"] = {
            **common,
            "Type": "AWS::ApiGatewayV2::Route",
            "Properties": {
                "ApiId": {"Ref": api},
                "RouteKey": route_key,
                "Target": {"Fn::Join": ["/", ["integrations", {"Ref": integrations[identity]}]]},
                **route_authorization(api, operation, schemes),
            },
        }
    return expanded


def api_properties(properties: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """Return an API's properties: its name and CORS rules come from the body, its id is fixed."""
    kept = {key: value for key, value in properties.items() if key not in {"Body", "FailOnWarnings"}}
    cors = body.get("x-amazon-apigateway-cors")
    # The engine keeps these rules as they are written, and reads them under the API's own (camel case) names.
    return {
        **kept,
        "Name": properties.get("Name", body.get("info", {}).get("title", {"Ref": "AWS::StackName"})),
        "ProtocolType": "HTTP",
        "Tags": {**properties.get("Tags", {}), API_ID_TAG: API_ID},
        **({"CorsConfiguration": cors} if cors else {}),
    }


def authorizer_properties(api: str, name: str, authorizer: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JWT authorizer's properties."""
    jwt = authorizer["jwtConfiguration"]
    source = authorizer.get("identitySource", "$request.header.Authorization")
    return {
        "ApiId": {"Ref": api},
        "AuthorizerType": "JWT",
        "Name": name,
        "IdentitySource": source if isinstance(source, list) else [source],
        "JwtConfiguration": {"Issuer": jwt["issuer"], "Audience": jwt["audience"]},
    }


def operations(body: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each operation of the body with the route key that API Gateway makes of it."""
    for path, item in body["paths"].items():
        for method in METHODS:
            if method not in item:
                continue
            verb = "ANY" if method.startswith("x-") else method.upper()
            yield ("$default" if path.strip("/") == "$default" else f"{verb} {path}"), item[method]


def integration_properties(api: str, integration: Mapping[str, Any]) -> dict[str, Any]:
    """Return the properties of a Lambda proxy integration."""
    return {
        "ApiId": {"Ref": api},
        "IntegrationType": integration["type"].upper(),
        "IntegrationUri": integration["uri"],
        "PayloadFormatVersion": integration.get("payloadFormatVersion", "2.0"),
        "TimeoutInMillis": integration.get("timeoutInMillis", 30_000),
    }


def route_authorization(api: str, operation: Mapping[str, Any], schemes: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a route asks of a token; a route that names no known authorizer asks for none."""
    for requirement in operation.get("security", []):
        for name, scopes in requirement.items():
            if name in schemes:
                return {
                    "AuthorizationType": "JWT",
                    "AuthorizerId": {"Ref": f"{api}{name}Authorizer"},
                    "AuthorizationScopes": list(scopes),
                }
    return {"AuthorizationType": "NONE"}
