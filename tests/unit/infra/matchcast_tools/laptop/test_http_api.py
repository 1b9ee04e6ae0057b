"""The API's OpenAPI body as routes, integrations and authorizers."""

from __future__ import annotations

from typing import Any

from matchcast_tools.laptop.http_api import API_ID, expand_http_apis


def operation(function: str, *scopes: str, scheme: str = "Tokens") -> dict[str, Any]:
    return {
        "x-amazon-apigateway-integration": {
            "type": "aws_proxy",
            "httpMethod": "POST",
            "payloadFormatVersion": "2.0",
            "uri": {"Fn::Sub": f"arn:${{AWS::Partition}}:...${{{function}.Arn}}/invocations"},
        },
        "security": [{scheme: list(scopes)}],
    }


def template(paths: dict[str, Any], **body: Any) -> dict[str, Any]:
    authorizer = {
        "type": "jwt",
        "identitySource": "$request.header.Authorization",
        "jwtConfiguration": {"issuer": {"Fn::Sub": "https://${UserPool}"}, "audience": [{"Ref": "Client"}]},
    }
    schemes = {"Tokens": {"type": "oauth2", "x-amazon-apigateway-authorizer": authorizer}}
    return {
        "Resources": {
            "Table": {"Type": "AWS::DynamoDB::Table"},
            "Api": {
                "Type": "AWS::ApiGatewayV2::Api",
                "Condition": "HasApi",
                "Properties": {
                    "FailOnWarnings": True,
                    "Tags": {"made": "by"},
                    "Body": {
                        "info": {"title": {"Ref": "AWS::StackName"}},
                        "paths": paths,
                        "components": {"securitySchemes": schemes},
                        **body,
                    },
                },
            },
        }
    }


def routes(resources: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = [item["Properties"] for item in resources.values() if item["Type"] == "AWS::ApiGatewayV2::Route"]
    return {route["RouteKey"]: route for route in found}


def test_each_operation_becomes_a_route_with_its_scopes() -> None:
    # WHEN
    resources = expand_http_apis(template({"/predict/{id}": {"get": operation("Predict", "read", "write")}}))

    # THEN
    route = routes(resources)["GET /predict/{id}"]
    assert route["AuthorizationType"] == "JWT"
    assert route["AuthorizationScopes"] == ["read", "write"]
    assert resources[route["AuthorizerId"]["Ref"]]["Properties"] == {
        "ApiId": {"Ref": "Api"},
        "AuthorizerType": "JWT",
        "Name": "Tokens",
        "IdentitySource": ["$request.header.Authorization"],
        "JwtConfiguration": {"Issuer": {"Fn::Sub": "https://${UserPool}"}, "Audience": [{"Ref": "Client"}]},
    }


def test_a_path_with_and_without_a_trailing_slash_stays_two_routes() -> None:
    paths = {"/predict": {"post": operation("Predict")}, "/predict/": {"post": operation("Predict")}}

    assert set(routes(expand_http_apis(template(paths)))) == {"POST /predict", "POST /predict/"}


def test_a_route_without_authorizer_asks_for_no_token() -> None:
    open_route = operation("Health", scheme="NONE")
    unsaid = {key: value for key, value in operation("Health").items() if key != "security"}

    resources = expand_http_apis(template({"/health": {"get": open_route}, "/docs": {"get": unsaid}}))

    assert {route["AuthorizationType"] for route in routes(resources).values()} == {"NONE"}


def test_the_default_route_keeps_its_key_and_any_method_its_word() -> None:
    paths = {
        "$default": {"x-amazon-apigateway-any-method": operation("Serve")},
        "/all": {"x-amazon-apigateway-any-method": operation("Serve")},
    }

    assert set(routes(expand_http_apis(template(paths)))) == {"$default", "ANY /all"}


def test_routes_of_one_function_share_an_integration() -> None:
    paths = {"/a": {"get": operation("One"), "post": operation("Two")}, "/b": {"get": operation("One")}}

    resources = expand_http_apis(template(paths))

    targets = {key: route["Target"]["Fn::Join"][1][1]["Ref"] for key, route in routes(resources).items()}
    assert targets["GET /a"] == targets["GET /b"] != targets["POST /a"]
    assert resources[targets["GET /a"]]["Properties"]["IntegrationUri"]["Fn::Sub"].endswith("${One.Arn}/invocations")


def test_the_api_loses_its_body_and_gets_the_fixed_id_and_the_cors_rules() -> None:
    # GIVEN
    cors = {"Fn::If": ["HasCors", {"allowOrigins": {"Ref": "Origins"}}, {"Ref": "AWS::NoValue"}]}

    # WHEN
    resources = expand_http_apis(template({}, **{"x-amazon-apigateway-cors": cors}))

    # THEN
    assert resources["Api"]["Properties"] == {
        "Name": {"Ref": "AWS::StackName"},
        "ProtocolType": "HTTP",
        "Tags": {"made": "by", "ms-custom-id": API_ID},
        "CorsConfiguration": cors,
    }


def test_a_condition_of_the_api_holds_for_all_that_it_is_expanded_into() -> None:
    resources = expand_http_apis(template({"/a": {"get": operation("One", "read")}}))

    made = {name: item for name, item in resources.items() if name != "Table"}
    assert {item["Condition"] for item in made.values()} == {"HasApi"}
    assert len(made) == 4


def test_other_resources_are_not_changed() -> None:
    assert expand_http_apis(template({}))["Table"] == {"Type": "AWS::DynamoDB::Table"}
