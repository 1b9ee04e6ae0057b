"""Clients that are generated from the served document, and its examples, against the laptop stack."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from matchcast_tools.stack.api_client import ApiClient
from matchcast_tools.stack.deployed import Stack
from tests.support.document_examples import OF_THE_CALLER, send_examples
from tests.support.generated_clients import (
    NPM,
    PythonClient,
    python_client,
    typescript_submits,
    typescript_types,
)

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def document(api: ApiClient) -> dict[str, Any]:
    found: dict[str, Any] = api.get("/openapi.json").expect(200)
    return found


@pytest.fixture(scope="module")
def submissions(document: dict[str, Any]) -> dict[str, Any]:
    body = document["paths"]["/predict/async/"]["post"]["requestBody"]["content"]["application/json"]
    return {name: example["value"] for name, example in body["examples"].items()}


@pytest.fixture(scope="module")
def client(document: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[PythonClient]:
    with python_client(document, tmp_path_factory.mktemp("python")) as made:
        yield made


def test_every_example_of_the_document_succeeds_as_it_is(document: dict[str, Any], api: ApiClient) -> None:
    # WHEN
    statuses = send_examples(document, api)
    # THEN
    paths = {path for path in document["paths"] if not any(mark in path for mark in OF_THE_CALLER)}
    assert set(statuses) == {each["operationId"] for path in paths for each in document["paths"][path].values()}
    assert {name: found for name, found in statuses.items() if any(status >= 400 for status in found)} == {}
    assert (statuses["submit"], statuses["submit_batch"]) == ([202, 202], [202])
    assert statuses["predict_features"] == [200]


def test_a_client_in_python_is_generated_without_a_warning(client: PythonClient) -> None:
    assert client.warnings == []


def test_a_client_in_python_submits_each_kind_and_reads_the_result(
    client: PythonClient, stack: Stack, token: str, api: ApiClient, submissions: dict[str, Any]
) -> None:
    with client.connect(stack, token) as connection:
        for kind, model in (("match", "MatchSubmission"), ("features", "FeaturesSubmission")):
            # WHEN
            body = client.make(model, submissions[kind])
            answer = client.call("submit_prediction", "submit", connection, body=body)
            # THEN
            assert answer.status_code == 202
            assert api.wait(answer.parsed.task_id, seconds=60)["status"] == "succeeded"
            result = client.call("track_tasks", "task_result", connection, task_id=answer.parsed.task_id).parsed
            assert result.home + result.draw + result.away == pytest.approx(1)
            assert result.match_id == submissions[kind].get("match_id")


def test_a_client_in_python_reads_errors_of_the_service_and_of_the_gateway(
    client: PythonClient, stack: Stack, token: str, read_only_token: str, submissions: dict[str, Any]
) -> None:
    # GIVEN
    good = client.make("MatchSubmission", submissions["match"])
    unknown = client.make("MatchSubmission", {"match_id": "xx-2020-01-01-nobody-noone"})

    def submit(token: str, body: Any) -> tuple[int, str]:
        with client.connect(stack, token) as connection:
            found = client.call("submit_prediction", "submit", connection, body=body)
        return found.status_code, type(found.parsed).__name__

    # WHEN
    found = [submit(token, unknown), submit("x", good), submit(read_only_token, good)]
    # THEN
    assert found == [(404, "Problem"), (401, "GatewayError"), (403, "GatewayError")]


@pytest.mark.npm
@pytest.mark.skipif(NPM is None, reason="node and npm are not installed")
def test_a_client_in_typescript_is_generated_without_a_warning_and_submits(
    document: dict[str, Any], stack: Stack, token: str, submissions: dict[str, Any], tmp_path: Path
) -> None:
    # WHEN
    warnings = typescript_types(document, tmp_path)
    answers = typescript_submits(tmp_path, stack, token, list(submissions.values()))
    # THEN
    assert warnings == []
    assert [answer["status"] for answer in answers] == [202, 202]
