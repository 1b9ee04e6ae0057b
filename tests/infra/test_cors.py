"""Pages of named origins may send every header that the code reads, and use every method."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.infra.test_api import operations
from tests.support.documented import DOCUMENT
from tests.support.template import ROOT

# What a browser sends by itself, and lets no page set.
SENT_BY_BROWSERS = {"accept-encoding"}
# Read by the gateway and by Powertools, not by our code.
READ_BEFORE_OUR_CODE = {"authorization", "content-type"}


def allowed(plain: dict[str, Any]) -> dict[str, Any]:
    rules = plain["Resources"]["HttpApi"]["Properties"]["Body"]["x-amazon-apigateway-cors"]["Fn::If"][1]
    assert isinstance(rules, dict)
    return rules


def headers_read(file: Path) -> Iterator[str]:
    """Yield the names that a file looks up in request headers, like `headers.get("if-none-match")`."""
    for node in ast.walk(ast.parse(file.read_text())):
        match node:
            case ast.Call(func=ast.Attribute(value=source), args=[name, *_]):
                pass
            case ast.Call(args=[source, name, *_]):
                pass
            case ast.Subscript(value=source, slice=name, ctx=ast.Load()):
                pass
            case ast.Compare(left=name, ops=[ast.In()], comparators=[source]):
                pass
            case _:
                continue
        # A request has its headers by lower-case name; answers are written with capitals.
        if isinstance(name, ast.Constant) and re.search(r"\bheaders$", ast.unparse(source)):
            yield from re.findall(r"^[a-z-]+$", str(name.value))


def test_no_page_may_call_the_api_unless_its_origin_is_named(plain: dict[str, Any], template: dict[str, Any]) -> None:
    rules = plain["Resources"]["HttpApi"]["Properties"]["Body"]["x-amazon-apigateway-cors"]["Fn::If"]
    assert (rules[0], rules[2]) == ("HasCors", {"Ref": "AWS::NoValue"})
    assert allowed(plain)["allowOrigins"] == {"Ref": "CorsAllowOrigins"}
    parameter = template["Parameters"]["CorsAllowOrigins"]
    assert (parameter["Type"], parameter["Default"]) == ("CommaDelimitedList", "")


def test_a_page_may_send_every_header_that_the_code_reads(plain: dict[str, Any]) -> None:
    # GIVEN the headers that are looked up, and those that are parameters of the contract
    folders = (ROOT / "functions", ROOT / "layers/core/python/matchcast/http")
    read = {name for folder in folders for file in folder.rglob("*.py") for name in headers_read(file)}
    assert {"if-none-match", "if-modified-since"} <= read
    operations = [operation for methods in DOCUMENT["paths"].values() for operation in methods.values()]
    parameters = [each for operation in operations for each in operation.get("parameters", [])]
    documented = {each["name"].lower() for each in parameters if each["in"] == "header"}
    assert {"prefer", "idempotency-key"} <= documented
    # WHEN a browser asks which of them a page may send
    # THEN it may send all of them, and no others
    expected = (read | documented | READ_BEFORE_OUR_CODE) - SENT_BY_BROWSERS
    assert set(allowed(plain)["allowHeaders"]) == expected


def test_a_page_may_use_every_method_of_a_route(plain: dict[str, Any]) -> None:
    methods = {method for method, path in operations(plain) if path != "$default"}
    # Where GET is allowed, HEAD is.
    assert set(allowed(plain)["allowMethods"]) == methods | {"HEAD", "OPTIONS"}
