"""The API: its routes with their scopes, who issues tokens, throttles and logs."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase as fnmatch
from typing import Any

import pytest

from matchcast_tools.laptop.http_api import expand_http_apis
from tests.support.documented import DOCUMENT

# The contract: scope and function of each route, without a trailing slash.
ROUTES = {
    (method.upper(), path.rstrip("/")): (
        operation["security"][0]["jwt"][0] if operation["security"] else None,
        operation["tags"][0].title().replace(" ", ""),
    )
    for path, methods in DOCUMENT["paths"].items()
    for name, operation in methods.items()
    # HEAD is answered like GET, so that the document need not say it.
    for method in ((name, "HEAD") if name == "get" else (name,))
    # The root is a path without a route of its own.
    if path != "/"
}
# API Gateway drops routes like /path/ on import, and takes such requests by /path/{proxy+}.
ENDINGS = ("", "/{proxy+}")
ROUTES_PER_API = 300
DEFAULT = ("X-AMAZON-APIGATEWAY-ANY-METHOD", "$default")


def operations(plain: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    body = plain["Resources"]["HttpApi"]["Properties"]["Body"]
    return {
        (method.upper(), path): operation
        for path, methods in body["paths"].items()
        for method, operation in methods.items()
    }


def scope_of(operation: dict[str, Any]) -> str | None:
    [security] = operation["security"]
    [(authorizer, scopes)] = security.items()
    assert authorizer == ("Tokens" if scopes else "NONE")
    return scopes[0] if scopes else None


def function_of(operation: dict[str, Any]) -> str:
    uri = operation["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"]
    return str(uri.rpartition("functions/${")[2].partition("Function.Arn}")[0])


def test_the_routes_are_those_of_the_document_with_and_without_a_trailing_slash(plain: dict[str, Any]) -> None:
    expected = {(method, path + ending): answer for (method, path), answer in ROUTES.items() for ending in ENDINGS} | {
        DEFAULT: (None, "ServePredictions")
    }
    assert {key: (scope_of(item), function_of(item)) for key, item in operations(plain).items()} == expected


def test_what_submits_or_changes_a_task_requires_the_scope_to_write() -> None:
    writing = {route for route, (scope, _) in ROUTES.items() if scope == "predictions/write"}
    assert writing == {route for route in ROUTES if route[0] not in {"GET", "HEAD"}} - {("POST", "/predict")}


def test_an_import_makes_a_route_of_every_integration(plain: dict[str, Any]) -> None:
    # GIVEN what API Gateway imports: of a path that ends in a slash it makes the integration, and no route
    body = plain["Resources"]["HttpApi"]["Properties"]["Body"]
    assert [path for path in body["paths"] if path.endswith("/")] == []
    assert "x-amazon-apigateway-integrations" not in body.get("components", {})
    # WHEN each operation is read as its route
    found = operations(plain)
    # THEN it has one integration, of a function that is there, and a greedy variable is the last part of its path
    assert {item["x-amazon-apigateway-integration"]["type"] for item in found.values()} == {"aws_proxy"}
    assert {f"{function_of(item)}Function" for item in found.values()} <= set(plain["Resources"])
    assert all("+}" not in path or path.endswith("/{proxy+}") for _, path in found)
    # AND there are no more routes than an API may have
    assert len(found) <= ROUTES_PER_API


def test_the_laptop_makes_a_route_of_every_integration_too(plain: dict[str, Any]) -> None:
    resources = expand_http_apis(plain)
    targets = [
        item["Properties"]["Target"]["Fn::Join"][1][1]["Ref"]
        for item in resources.values()
        if item["Type"] == "AWS::ApiGatewayV2::Route"
    ]
    integrations = {name for name, item in resources.items() if item["Type"] == "AWS::ApiGatewayV2::Integration"}
    assert set(targets) == integrations
    assert len(targets) == len(operations(plain))


def test_every_permission_of_the_api_is_for_a_route(plain: dict[str, Any]) -> None:
    # GIVEN the routes, with * where a permission has a variable
    routes = {f"{method}{re.sub('{[^}]+}', '*', path)}" for method, path in operations(plain)}
    # WHEN the permissions that SAM makes are read
    allowed = set()
    for item in plain["Resources"].values():
        if item["Type"] == "AWS::Lambda::Permission" and item["Properties"]["Principal"] == "apigateway.amazonaws.com":
            allowed.add(item["Properties"]["SourceArn"]["Fn::Sub"][0].rpartition("/${__Stage__}/")[2])
    # THEN each belongs to one; the function behind $default may be called on every path
    assert allowed - {"*"} <= routes
    assert "*" in allowed


def test_every_route_speaks_payload_format_two(plain: dict[str, Any]) -> None:
    formats = {item["x-amazon-apigateway-integration"]["payloadFormatVersion"] for item in operations(plain).values()}
    assert formats == {"2.0"}


def test_unknown_paths_and_methods_reach_a_function_that_explains(plain: dict[str, Any]) -> None:
    assert operations(plain)[DEFAULT]["isDefaultRoute"] is True


def test_the_api_may_call_each_function_on_all_its_paths_with_and_without_a_trailing_slash(
    plain: dict[str, Any],
) -> None:
    allowed: dict[str, list[str]] = {}
    for item in plain["Resources"].values():
        if item["Type"] == "AWS::Lambda::Permission" and item["Properties"]["Principal"] == "apigateway.amazonaws.com":
            _, _, route = item["Properties"]["SourceArn"]["Fn::Sub"][0].rpartition("/${__Stage__}/")
            allowed.setdefault(item["Properties"]["FunctionName"]["Ref"], []).append(route)
    for (method, path), (_, function) in ROUTES.items():
        for request in (path, f"{path}/"):
            assert any(fnmatch(f"{method}{request}", route) for route in allowed[f"{function}Function"]), request


def test_the_policy_of_each_function_fits_under_the_longest_name_of_a_stack(plain: dict[str, Any]) -> None:
    # GIVEN what Lambda takes, and a stack whose functions have the longest name (64 characters)
    limit_bytes, name = 20_480, "x" * 64
    sizes: dict[str, int] = {}
    # WHEN
    for logical_id, item in plain["Resources"].items():
        if item["Type"] == "AWS::Lambda::Permission" and item["Properties"]["Principal"] == "apigateway.amazonaws.com":
            statement = {
                "Sid": f"{name}-{logical_id}-1A2B3C4D5E6F",
                "Effect": "Allow",
                "Principal": {"Service": "apigateway.amazonaws.com"},
                "Action": "lambda:InvokeFunction",
                "Resource": f"arn:aws:lambda:ap-southeast-1:123456789012:function:{name}",
                "Condition": {"ArnLike": {"AWS:SourceArn": item["Properties"]["SourceArn"]["Fn::Sub"][0]}},
            }
            function = item["Properties"]["FunctionName"]["Ref"]
            sizes[function] = sizes.get(function, 100) + len(json.dumps(statement))
    # THEN
    assert len(sizes) == 6
    assert max(sizes.values()) < limit_bytes, sizes


def test_tokens_come_from_the_stacks_own_pool_or_from_a_named_issuer(plain: dict[str, Any]) -> None:
    # GIVEN
    schemes = plain["Resources"]["HttpApi"]["Properties"]["Body"]["components"]["securitySchemes"]
    jwt = schemes["Tokens"]["x-amazon-apigateway-authorizer"]["jwtConfiguration"]
    # WHEN
    own, pool, named = jwt["issuer"]["Fn::If"]
    # THEN
    assert (own, named) == ("OwnUserPool", {"Ref": "JwtIssuer"})
    assert pool == {"Fn::Sub": "https://cognito-idp.${AWS::Region}.amazonaws.com/${UserPool}"}
    further = {"Fn::Sub": "${UserPoolClient},${JwtAudience}"}
    assert jwt["audience"]["Fn::If"] == [
        "HasAudience",
        {"Fn::Split": [",", {"Fn::If": ["OwnUserPool", further, {"Ref": "JwtAudience"}]}]},
        [{"Ref": "UserPoolClient"}],
    ]


@pytest.mark.parametrize(
    ("issuer", "taken"),
    [
        ("", True),
        ("https://acme.eu.auth0.com/", True),
        ("https://acme.okta.com/oauth2/default", True),
        ("https://login.microsoftonline.com/0f8fad5b-d9cd-469f-a165-70867728950e/v2.0", True),
        ("https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEfGhI", True),
        ("https://sts.example.org:8443/tokens/", True),
        ("http://acme.eu.auth0.com/", False),
        ("acme.eu.auth0.com", False),
        ("https://", False),
        ("https:///", False),
        ("https://acme.eu.auth0.com/?tenant=a", False),
        ("https://acme.eu.auth0.com/#a", False),
        ("https://acme.eu.auth0.com /", False),
    ],
)
def test_an_issuer_is_taken_as_its_tokens_name_it_with_or_without_a_final_slash(
    template: dict[str, Any], issuer: str, taken: bool
) -> None:
    pattern = template["Parameters"]["JwtIssuer"]["AllowedPattern"]
    assert (re.search(pattern, issuer) is not None) is taken


def test_the_own_pool_issues_both_scopes_to_programs_only(plain: dict[str, Any]) -> None:
    # GIVEN
    resources = plain["Resources"]
    names = [name for name in resources if resources[name]["Type"].startswith("AWS::Cognito::")]
    assert {resources[name]["Condition"] for name in names} == {"OwnUserPool"}
    # WHEN
    server = resources["ResourceServer"]["Properties"]
    offered = {f"{server['Identifier']}/{scope['ScopeName']}" for scope in server["Scopes"]}
    client = resources["UserPoolClient"]["Properties"]
    # THEN
    assert offered == set(client["AllowedOAuthScopes"]) == {"predictions/read", "predictions/write"}
    assert client["AllowedOAuthFlows"] == ["client_credentials"]
    assert client["GenerateSecret"] is True
    assert resources["UserPool"]["Properties"]["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": True}


@pytest.mark.parametrize(
    ("prefix", "is_taken"), [("", True), ("our-scores", True), ("our-aws-scores", False), ("-scores", False)]
)
def test_a_prefix_that_cognito_refuses_is_refused_before_anything_is_made(
    prefix: str, is_taken: bool, template: dict[str, Any]
) -> None:
    pattern = template["Parameters"]["AuthDomainPrefix"]["AllowedPattern"]
    assert (re.fullmatch(pattern, prefix) is not None) == is_taken


def test_the_stage_is_throttled_by_parameters_and_logs_every_request(plain: dict[str, Any]) -> None:
    [stage] = [item["Properties"] for item in plain["Resources"].values() if item["Type"] == "AWS::ApiGatewayV2::Stage"]
    assert stage["DefaultRouteSettings"] == {
        "ThrottlingRateLimit": {"Ref": "ThrottleRate"},
        "ThrottlingBurstLimit": {"Ref": "ThrottleBurst"},
    }
    assert stage["AccessLogSettings"]["DestinationArn"] == {"Fn::GetAtt": ["HttpApiLogGroup", "Arn"]}


def test_an_access_log_line_is_json_names_the_tenant_and_holds_no_token(plain: dict[str, Any]) -> None:
    [stage] = [item["Properties"] for item in plain["Resources"].values() if item["Type"] == "AWS::ApiGatewayV2::Stage"]
    line = json.loads(stage["AccessLogSettings"]["Format"]["Fn::Sub"])
    assert line["request_id"] == "$context.requestId"
    assert line["route"] == "$context.routeKey"
    assert line["tenant"] == "$context.authorizer.claims.${TenantClaim}"
    assert all(value.startswith("$context.") for value in line.values())
