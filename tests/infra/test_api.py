"""The API: its routes with their scopes, who issues tokens, throttles, logs and CORS."""

from __future__ import annotations

import json
from typing import Any

import pytest

READ, WRITE = "predictions/read", "predictions/write"
ROUTES: dict[tuple[str, str], tuple[str | None, str]] = {
    ("GET", "/predict/predictions"): (READ, "ServePredictions"),
    ("GET", "/predict/precomputed/{match_id}"): (READ, "ServePredictions"),
    ("GET", "/predict/cards"): (READ, "ServePredictions"),
    ("GET", "/predict/odds"): (READ, "ServePredictions"),
    ("GET", "/predict/region-roi"): (READ, "ServePredictions"),
    ("GET", "/predict/model/scorecard"): (READ, "ServePredictions"),
    ("GET", "/health"): (None, "ServePredictions"),
    ("GET", "/docs"): (None, "ServePredictions"),
    ("GET", "/openapi.json"): (None, "ServePredictions"),
    ("GET", "/predict/{match_id}"): (READ, "PredictNow"),
    ("POST", "/predict"): (READ, "PredictNow"),
    ("GET", "/predict/model/info"): (READ, "PredictNow"),
    ("POST", "/predict/async"): (WRITE, "SubmitPrediction"),
    ("GET", "/predict/async"): (READ, "TrackTasks"),
    ("DELETE", "/predict/async/{task_id}"): (WRITE, "TrackTasks"),
    ("POST", "/predict/async/{task_id}/retry"): (WRITE, "TrackTasks"),
    ("GET", "/monitoring/task_status/{task_id}"): (READ, "TrackTasks"),
    ("GET", "/results/{task_id}"): (READ, "TrackTasks"),
}
# API Gateway makes no route of /path/ and takes it by /path/{proxy+}; local engines do it the other way round.
ENDINGS = ("", "/", "/{proxy+}")
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


def test_the_routes_are_those_of_the_contract_with_and_without_the_last_slash(plain: dict[str, Any]) -> None:
    expected = {(method, path + ending): answer for (method, path), answer in ROUTES.items() for ending in ENDINGS} | {
        DEFAULT: (None, "ServePredictions")
    }
    assert {key: (scope_of(item), function_of(item)) for key, item in operations(plain).items()} == expected


def test_every_route_speaks_payload_format_two(plain: dict[str, Any]) -> None:
    formats = {item["x-amazon-apigateway-integration"]["payloadFormatVersion"] for item in operations(plain).values()}
    assert formats == {"2.0"}


def test_unknown_paths_and_methods_reach_a_function_that_explains(plain: dict[str, Any]) -> None:
    assert operations(plain)[DEFAULT]["isDefaultRoute"] is True


@pytest.mark.parametrize("name", ["ServePredictions", "PredictNow", "SubmitPrediction", "TrackTasks"])
def test_the_api_may_call_each_function_on_all_its_paths(name: str, plain: dict[str, Any]) -> None:
    sources = [
        item["Properties"]["SourceArn"]
        for item in plain["Resources"].values()
        if item["Type"] == "AWS::Lambda::Permission"
        and item["Properties"]["FunctionName"] == {"Ref": f"{name}Function"}
        and item["Properties"]["Principal"] == "apigateway.amazonaws.com"
    ]
    assert any("HttpApi}/*" in str(source) or "/${__Stage__}/*" in str(source) for source in sources)


def test_tokens_come_from_the_stacks_own_pool_or_from_a_named_issuer(plain: dict[str, Any]) -> None:
    schemes = plain["Resources"]["HttpApi"]["Properties"]["Body"]["components"]["securitySchemes"]
    jwt = schemes["Tokens"]["x-amazon-apigateway-authorizer"]["jwtConfiguration"]
    own, pool, named = jwt["issuer"]["Fn::If"]
    assert (own, named) == ("OwnUserPool", {"Ref": "JwtIssuer"})
    assert pool == {"Fn::Sub": "https://cognito-idp.${AWS::Region}.amazonaws.com/${UserPool}"}
    further = {"Fn::Sub": "${UserPoolClient},${JwtAudience}"}
    assert jwt["audience"]["Fn::If"] == [
        "HasAudience",
        {"Fn::Split": [",", {"Fn::If": ["OwnUserPool", further, {"Ref": "JwtAudience"}]}]},
        [{"Ref": "UserPoolClient"}],
    ]


def test_the_own_pool_issues_both_scopes_to_programs_only(plain: dict[str, Any]) -> None:
    resources = plain["Resources"]
    names = [name for name in resources if resources[name]["Type"].startswith("AWS::Cognito::")]
    assert {resources[name]["Condition"] for name in names} == {"OwnUserPool"}
    server = resources["ResourceServer"]["Properties"]
    offered = {f"{server['Identifier']}/{scope['ScopeName']}" for scope in server["Scopes"]}
    client = resources["UserPoolClient"]["Properties"]
    assert offered == set(client["AllowedOAuthScopes"]) == {READ, WRITE}
    assert client["AllowedOAuthFlows"] == ["client_credentials"]
    assert client["GenerateSecret"] is True
    assert resources["UserPool"]["Properties"]["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": True}


def test_the_stage_is_throttled_by_parameters_and_logs_every_request(plain: dict[str, Any]) -> None:
    [stage] = [item["Properties"] for item in plain["Resources"].values() if item["Type"] == "AWS::ApiGatewayV2::Stage"]
    assert stage["DefaultRouteSettings"] == {
        "ThrottlingRateLimit": {"Ref": "ThrottleRate"},
        "ThrottlingBurstLimit": {"Ref": "ThrottleBurst"},
    }
    assert stage["AccessLogSettings"]["DestinationArn"] == {"Fn::GetAtt": ["HttpApiLogGroup", "Arn"]}


def test_an_access_log_line_is_json_and_holds_no_token(plain: dict[str, Any]) -> None:
    [stage] = [item["Properties"] for item in plain["Resources"].values() if item["Type"] == "AWS::ApiGatewayV2::Stage"]
    line = json.loads(stage["AccessLogSettings"]["Format"])
    assert line["request_id"] == "$context.requestId"
    assert line["route"] == "$context.routeKey"
    assert all(value.startswith("$context.") for value in line.values())


def test_no_page_may_call_the_api_unless_its_origin_is_named(plain: dict[str, Any], template: dict[str, Any]) -> None:
    condition, allowed, otherwise = plain["Resources"]["HttpApi"]["Properties"]["Body"]["x-amazon-apigateway-cors"][
        "Fn::If"
    ]
    assert (condition, otherwise) == ("HasCors", {"Ref": "AWS::NoValue"})
    assert allowed["allowOrigins"] == {"Ref": "CorsAllowOrigins"}
    assert "authorization" in allowed["allowHeaders"]
    parameter = template["Parameters"]["CorsAllowOrigins"]
    assert (parameter["Type"], parameter["Default"]) == ("CommaDelimitedList", "")
