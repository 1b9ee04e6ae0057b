"""Bodies are small, flat, unambiguous JSON objects with members of the very types that the contract names."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from functions.manage_batches.schemas import BatchRequest
from matchcast.domain.batch import MOST_IDS_BYTES
from matchcast.errors import ContentTooLarge, InvalidRequest
from matchcast.http.bodies import DEEPEST, RequestBody, read_object
from openapi_document.generate import find_apis
from tests.support.example_api import assert_is_problem, call

LIMIT = 1_000


def read(body: str, *, is_base64: bool = False) -> dict[str, Any]:
    return read_object(body, is_base64=is_base64, max_bytes=LIMIT)


def nested(levels: int) -> str:
    return '{"a":' * levels + "1" + "}" * levels


def test_a_body_may_be_as_deep_and_as_long_as_the_limits_say_and_not_more() -> None:
    assert read(nested(DEEPEST))
    with pytest.raises(InvalidRequest, match="levels"):
        read(nested(DEEPEST + 1))
    assert read(json.dumps({"a": "x" * (LIMIT - 9)}))
    with pytest.raises(ContentTooLarge, match=str(LIMIT)):
        read(json.dumps({"a": "x" * (LIMIT - 8)}))


@pytest.mark.parametrize("levels", [17, 256, 1_000, 1_024, 5_000])
@pytest.mark.parametrize("kind", ["objects", "arrays"])
def test_a_nested_body_is_a_422_at_any_depth(levels: int, kind: str) -> None:
    body = nested(levels) if kind == "objects" else '{"a":' + "[" * levels + "]" * levels + "}"

    problem = assert_is_problem(call("POST", "/things", body=body), 422, "invalid-request")

    assert [error["pointer"] for error in problem["errors"]] == [""]


@pytest.mark.parametrize("is_base64", [False, True])
def test_a_long_body_is_a_413(is_base64: bool) -> None:
    body = json.dumps({"match_id": "x" * RequestBody.max_bytes})

    assert_is_problem(call("POST", "/things", body=body, is_base64=is_base64), 413, "content-too-large")


def test_a_body_of_many_bytes_in_few_characters_is_a_413() -> None:
    with pytest.raises(ContentTooLarge):
        read(json.dumps({"a": "\N{SOCCER BALL}" * 400}, ensure_ascii=False))


@pytest.mark.parametrize(
    "body", ['{"a": 1, "a": 1}', '{"b": {"a": 1, "c": 2, "a": 3}}', '{"b": [{"a": 1, "\\u0061": 2}]}']
)
def test_a_body_that_names_a_member_twice_is_refused(body: str) -> None:
    with pytest.raises(InvalidRequest, match="'a' twice"):
        read(body)


@pytest.mark.parametrize("number", ["1" * 500, "-" + "9" * 300, "1e999", "1" + "0" * 400 + ".5"])
def test_a_number_beyond_every_range_is_a_422(number: str) -> None:
    try:
        read('{"a": ' + number + "}")
    except InvalidRequest as error:
        assert "not JSON" in error.detail  # noqa: PT017 - orjson takes those that a double can represent


@pytest.mark.parametrize("body", ["\udc80", '{"a": "\ud800"}', '{"a": "\\ud800"}', '{"\\udfff": 1}'])
def test_lone_surrogates_are_a_422(body: str) -> None:
    assert_is_problem(call("POST", "/things", body=body), 422, "invalid-request")


@pytest.mark.parametrize("body", ["é", "%%%", "eyJ", base64.b64encode(b"\xff").decode(), " ", "e30"])
def test_what_is_not_base64_of_json_is_a_422(body: str) -> None:
    with pytest.raises(InvalidRequest):
        read(body, is_base64=True)


@pytest.mark.parametrize("size", [True, "3", 3.0, 3.5, None, [3], 1e300])
def test_a_value_of_another_type_is_not_converted(size: Any) -> None:
    answer = call("POST", "/things", body={"match_id": "e0", "size": size})

    problem = assert_is_problem(answer, 422, "invalid-request")
    assert [error["pointer"] for error in problem["errors"]] == ["/size"]


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip", "x" * 5_000])
def test_an_encoded_body_is_a_415(encoding: str) -> None:
    answer = call("POST", "/things", body={"match_id": "e0"}, headers={"Content-Encoding": encoding})

    assert_is_problem(answer, 415, "unsupported-media-type")


@pytest.mark.parametrize(("charset", "status"), [("utf-8", 202), ('"UTF-8"', 202), ("utf-16", 415), ("latin1", 415)])
def test_a_body_is_in_utf_8(charset: str, status: int) -> None:
    headers = {"Content-Type": f"application/json; charset={charset}"}

    assert call("POST", "/things", body={"match_id": "e0"}, headers=headers).status == status


def test_every_body_of_the_api_is_strict_and_has_a_limit() -> None:
    bodies = [
        parameter.type_ for _, api in find_apis() for route in api.routes for parameter in route.dependant.body_params
    ]

    assert len(bodies) >= 2
    assert all(issubclass(body, RequestBody) for body in bodies)
    assert all(body.model_config["strict"] and body.model_config["extra"] == "forbid" for body in bodies)
    assert {body for body in bodies if body.max_bytes > 200_000} == {BatchRequest}
    assert BatchRequest.max_bytes == MOST_IDS_BYTES
