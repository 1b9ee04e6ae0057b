"""Routing: which paths and methods reach a route, and how its answer is sent."""

from __future__ import annotations

import pytest

from matchcast.http.routes import KnownPaths
from tests.support.example_api import assert_is_problem, call


@pytest.mark.parametrize("path", ["/things", "/things/"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_path_is_the_same_with_and_without_its_trailing_slash(method: str, path: str) -> None:
    body = {"match_id": "e0"} if method == "POST" else None
    assert call(method, path, body=body).status in (200, 202)


@pytest.mark.parametrize("path", ["//things", "/things//", "/thingsx", "/things/a/b", "/"])
def test_other_paths_are_not_taken_for_a_route(path: str) -> None:
    assert_is_problem(call("GET", path), 404, "route-not-found")


def test_a_fixed_path_goes_before_one_with_a_placeholder() -> None:
    assert call("GET", "/things/fixed").json == {"name": "fixed", "size": 1}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/things/a%20b/", "a b"),
        ("/things/a%2Fb", "a/b"),
        ("/things/caf%C3%A9", "café"),
        ("/things/⚽", "⚽"),
        ('/things/"#?', '"#?'),
        ("/things/%FF", "\ufffd"),
    ],
)
def test_a_segment_of_any_characters_reaches_its_route_decoded(path: str, name: str) -> None:
    assert call("GET", path).json["name"] == name


def test_a_model_is_answered_as_json_with_the_status_and_headers_of_the_route() -> None:
    answer = call("POST", "/things/", body={"match_id": "e0", "size": 3})
    assert (answer.status, answer.json) == (202, {"name": "e0", "size": 3})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["location"] == "/there"


def test_an_unknown_path_is_a_404_problem_with_the_path_as_its_instance() -> None:
    problem = assert_is_problem(call("GET", "/nothing/ä b"), 404, "route-not-found")
    assert problem["instance"] == "/nothing/%C3%A4%20b"


def test_a_known_path_under_another_method_is_a_405_that_says_which_are_allowed() -> None:
    answer = call("DELETE", "/things")
    assert_is_problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "GET, HEAD, POST"


def test_the_methods_of_a_fixed_path_are_its_own_and_not_those_of_a_placeholder() -> None:
    known = KnownPaths({"/a/<name>": ["get", "delete"], "/a/fixed/": ["post"]})
    assert known.methods("/a/fixed") == {"POST"}
    assert known.methods("/a/other/") == {"GET", "HEAD", "DELETE"}


def test_a_path_of_the_whole_api_is_known_where_the_function_has_no_route_for_it() -> None:
    assert call("PUT", "/monitoring/task_status/019cb2d1-7c00-7000-8000-000000000000/").status == 405
    assert call("GET", "/monitoring/task_status").status == 404
