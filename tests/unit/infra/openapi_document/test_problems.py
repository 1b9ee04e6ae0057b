"""Every problem that the service can answer is in the document, with its meaning and an example."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

import pytest

from matchcast.http.problems import TYPE_PREFIX
from openapi_document.problems import NOT_OF_A_ROUTE, kinds
from tests.support.documented import DOCUMENT, resolve
from tests.support.template import ROOT

EXAMPLES: dict[str, Any] = DOCUMENT["components"]["examples"]
# Bases that are never raised themselves, and errors of publishing and of workers, which no route lets through.
NO_ANSWERS = {
    "not-found",
    "unavailable",
    "release-refused",
    "digest-mismatch",
    "manifest-invalid",
    "release-race-lost",
    "signature-missing",
    "parity-failed",
    "alias-unknown",
    "invalid-message",
    # What a receiver of callbacks did.
    "delivery-failed",
    # They are errors of a batch, or of its messages.
    "input-refused",
    "batch-files-missing",
    "batch-unknown",
    # The refresh says it.
    "predictions-pending",
    "model-too-slow",
    "unexpected-fault",
    # It is answered as internal-error.
    "request-refused",
}
OF_THE_SERVICE = {code: kind for code, kind in kinds().items() if kind.__module__.startswith("matchcast.errors.")}


def answered() -> Iterator[tuple[str, str]]:
    """Yield each status and code that an operation names."""
    for methods in DOCUMENT["paths"].values():
        for operation in methods.values():
            for status, response in operation["responses"].items():
                content = resolve(response).get("content", {}).get("application/problem+json", {})
                yield from ((status, code) for code in content.get("examples", {}))


def raised() -> set[str]:
    """Return the names of all errors that functions, and what they share, raise by name."""
    found = set()
    for folder in ("functions", "layers/core/python/matchcast"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                    found.add(ast.unparse(node.exc.func))
    return found


def test_every_error_of_the_service_is_documented_or_is_no_answer() -> None:
    documented = set(EXAMPLES) | {kind.code for kind in NOT_OF_A_ROUTE}
    assert documented | NO_ANSWERS == set(OF_THE_SERVICE)
    assert documented & NO_ANSWERS == set()


def test_a_base_that_is_called_no_answer_is_raised_nowhere() -> None:
    assert {OF_THE_SERVICE["not-found"].__name__, OF_THE_SERVICE["unavailable"].__name__} & raised() == set()


def test_a_problem_is_named_under_its_own_status() -> None:
    assert {(status, code) for status, code in answered() if int(status) != OF_THE_SERVICE[code].status} == set()


@pytest.mark.parametrize("code", sorted(EXAMPLES))
def test_an_example_is_the_problem_that_the_service_answers(code: str) -> None:
    # WHEN
    value, kind = EXAMPLES[code]["value"], OF_THE_SERVICE[code]
    # THEN
    assert (value["type"], value["status"], value["title"]) == (TYPE_PREFIX + code, kind.status, kind.title)
    assert value["detail"].endswith(".")


def test_the_description_lists_every_problem_with_its_meaning() -> None:
    # WHEN
    rows = [line.split(" | ") for line in DOCUMENT["info"]["description"].splitlines() if line.startswith("| ")][1:]
    # THEN
    listed = {code.strip("`"): (status.strip("| "), meaning.rstrip("| ")) for status, code, meaning in rows}
    assert set(listed) == set(EXAMPLES) | {kind.code for kind in NOT_OF_A_ROUTE}
    for code, (status, meaning) in listed.items():
        assert int(status) == OF_THE_SERVICE[code].status
        assert meaning.endswith(".")


def test_each_error_of_an_operation_says_what_it_means() -> None:
    for methods in DOCUMENT["paths"].values():
        for operation in methods.values():
            for status, response in operation["responses"].items():
                found = resolve(response)
                assert found["description"]
                names = found.get("content", {}).get("application/problem+json", {}).get("examples", {})
                if len(names) > 1:
                    assert all(f"`{name}`" in found["description"] for name in names), status
