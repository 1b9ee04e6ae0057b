from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from matchcast import errors
from matchcast.errors import (
    DeadlineExceeded,
    DeliveryFailed,
    FieldError,
    InvalidRequest,
    MatchcastError,
    MethodNotAllowed,
    ReleaseUnfit,
    TooManyBatches,
    TooManyTasks,
)
from matchcast.http.problems import Problem, field_errors, problem, problem_response, summary
from matchcast.messages import DirectProblem, ProblemAnswer

SECRET = "arn:aws:s3:::secret-bucket/models/key"


def tree(kind: type[MatchcastError]) -> Iterator[type[MatchcastError]]:
    yield kind
    for child in kind.__subclasses__():
        if child.__module__.startswith(f"{errors.__name__}."):
            yield from tree(child)


def make(kind: type[MatchcastError], detail: str) -> MatchcastError:
    if issubclass(kind, MethodNotAllowed):
        return MethodNotAllowed(detail, ["GET"])
    if issubclass(kind, DeliveryFailed):
        return kind(detail, "timeout")
    return kind(detail, 7) if issubclass(kind, TooManyTasks | TooManyBatches) else kind(detail)


@pytest.mark.parametrize("kind", list(tree(MatchcastError)))
def test_every_error_of_the_product_has_a_body_of_the_same_shape(kind: type[MatchcastError]) -> None:
    body = problem(make(kind, "What went wrong."), path="/a", request_id="r")
    assert Problem.model_validate(body).model_dump(exclude_none=True) == body
    assert body["type"] == f"urn:matchcast:problem:{kind.code}"
    assert (body["status"], body["title"], body["instance"], body["request_id"]) == (kind.status, kind.title, "/a", "r")


@pytest.mark.parametrize(
    "kind",
    [kind for kind in tree(MatchcastError) if kind.status >= 500 and kind not in (DeadlineExceeded, ReleaseUnfit)],
)
def test_a_fault_behind_the_service_hides_its_detail(kind: type[MatchcastError]) -> None:
    text = make(kind, SECRET).public_detail
    assert text.endswith(".")
    assert SECRET not in text


def test_a_release_that_does_not_fit_names_what_is_missing_and_advises_no_return() -> None:
    answer = problem_response(ReleaseUnfit("The snapshot lacks odds_home."), path="/", request_id="")

    assert answer.status_code == 503
    assert "odds_home" in str(answer.body)
    assert "urn:matchcast:problem:release-unfit" in str(answer.body)
    assert "Retry-After" not in answer.headers


@pytest.mark.parametrize("kind", [errors.DigestMismatch, errors.ManifestInvalid])
def test_what_is_wrong_with_a_release_names_no_key(kind: type[MatchcastError]) -> None:
    assert SECRET not in kind(SECRET).public_detail


def test_only_a_transient_fault_advises_when_to_come_back() -> None:
    assert problem_response(errors.QueueUnavailable(""), path="/", request_id="").headers["Retry-After"] == "5"
    assert "Retry-After" not in problem_response(errors.ModelFailed(""), path="/", request_id="").headers


def test_invalid_fields_are_listed() -> None:
    error = InvalidRequest("Two are wrong.", [FieldError("Why.", pointer=""), FieldError("Why.", header="Prefer")])
    body = problem(error, path="/", request_id="")
    assert body["errors"] == [{"detail": "Why.", "pointer": ""}, {"detail": "Why.", "header": "Prefer"}]


def test_a_hundred_invalid_fields_are_named_and_the_others_counted() -> None:
    # GIVEN
    error = InvalidRequest("Wrong.", [FieldError("Why.", pointer=f"/features/{n}") for n in range(12_345)])

    # WHEN
    body = problem(error, path="/", request_id="")

    # THEN
    assert (len(body["errors"]), body["more_errors"]) == (100, 12_245)
    assert Problem.model_validate(body).more_errors == 12_245
    assert DirectProblem.model_validate(ProblemAnswer.of(error).problem.model_dump()).error().more_errors == 12_245


@pytest.mark.parametrize("kind", ["pointer", "parameter", "header"])
def test_what_a_client_sent_is_repeated_in_a_hundred_printable_characters(kind: str) -> None:
    # GIVEN
    name = "\x1b[31m\x9b\u202e\x00" + "x" * 100_000
    error = InvalidRequest("No " + name, [FieldError("No " + name, **{kind: name})])

    # WHEN
    body = problem(error, path="/" + "p" * 100_000, request_id="r")

    # THEN
    assert len(body["errors"][0][kind]) == 100
    assert body["errors"][0][kind].isprintable()
    assert body["detail"].isprintable()
    assert len(json.dumps(body)) < 2_000
    assert len(summary(error.errors * 1_000)) < 2_000


def test_the_instance_is_a_uri_reference() -> None:
    assert problem(InvalidRequest("x"), path='/é "<>\n', request_id="")["instance"] == "/%C3%A9%20%22%3C%3E%0A"


def test_a_message_of_pydantic_becomes_a_sentence() -> None:
    [error] = field_errors([{"loc": ("body", "a", "[key]"), "msg": "Value error, send either a or b"}])
    assert error == FieldError("Send either a or b.", pointer="/a")


def test_a_summary_names_the_places() -> None:
    one = [FieldError("Too large.", parameter="limit")]
    assert summary(one) == "parameter limit: Too large."
    assert summary([*one, FieldError("x", pointer="/a"), FieldError("y", pointer="")]) == (
        "3 values of the request are wrong (parameter limit, field /a, body); `errors` says why."
    )


def test_a_tenant_with_too_many_tasks_is_told_when_to_come_back() -> None:
    answer = problem_response(TooManyTasks("Too many.", 7), path="/", request_id="")

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
