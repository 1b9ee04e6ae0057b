"""The whole API against its own document: schemathesis with all its checks, and what the gateway refuses."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from matchcast_tools.stack.api_client import ApiClient
from matchcast_tools.stack.deployed import Stack
from matchcast_tools.stack.tokens import fetch_token
from tests.e2e.known import gather
from tests.support.documented import DOCUMENT, assert_is_documented
from tests.support.laptop import ROOT

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
# Limits for what hangs: on a machine that is busy with other things a thousand requests take minutes.
REQUESTS_SECONDS = 900
WORKED_OFF_SECONDS = 300
SECURED = [
    (method.upper(), path, operation["security"][0]["jwt"])
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
    if operation["security"]
]


@pytest.fixture(scope="module")
def report(stack: Stack, make_tenant: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what schemathesis reports of a run against the stack as a tenant of its own; its output is `said`."""
    folder, token = tmp_path_factory.mktemp("schemathesis"), make_tenant("contract")
    api = ApiClient(stack.api_url, stack.host_header, token)
    facts = gather(api, stack, tenant_of(token))
    document = api.get("/openapi.json").expect(200)
    (folder / "openapi.json").write_text(json.dumps(document))
    command = [sys.executable, "-m", "schemathesis.cli", "--no-color", "--config-file", str(CONFIGURATION), "run"]
    arguments = ["openapi.json", "--url", stack.api_url, "--checks", "all", "--report-json-path", "report.json"]
    environment = {
        **os.environ,
        "MATCHCAST_TOKEN": token,
        "MATCHCAST_KNOWN": json.dumps(facts),
        "MATCHCAST_HOST": stack.host_header or "",
        "NO_PROXY": "*",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "infra"), str(ROOT / "layers/core/python")]),
    }
    run = subprocess.run(
        [*command, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=REQUESTS_SECONDS,
        check=False,
    )
    assert (folder / "report.json").exists(), run.stdout + run.stderr
    return {**json.loads((folder / "report.json").read_text()), "said": run.stdout}


def tenant_of(token: str) -> str:
    payload = token.split(".")[1]
    claims: dict[str, str] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims["client_id"]


def test_every_answer_to_generated_requests_is_what_the_document_says(report: dict[str, Any]) -> None:
    assert (report["exit_code"], report["failures"], report["errors"]) == (0, [], []), report["said"]
    assert report["complete"]
    assert report["operations"]["tested"] == len([1 for methods in DOCUMENT["paths"].values() for _ in methods])
    assert report["test_cases"]["generated"] > 1000


def test_every_operation_was_reached_with_requests_that_it_takes(report: dict[str, Any]) -> None:
    accepted = {
        operation: sum(phase["accepted"] for phase in phases.values())
        for operation, phases in report["valid_rates"].items()
    }
    assert len(accepted) == report["operations"]["tested"]
    assert {operation for operation, count in accepted.items() if count == 0} == set(), report["said"]


@pytest.mark.usefixtures("report")
def test_nothing_that_was_accepted_became_a_dead_letter(stack: Stack) -> None:
    give_up = time.monotonic() + WORKED_OFF_SECONDS
    while sum(messages(stack, name) for name in ("HighQueueUrl", "NormalQueueUrl")):
        assert time.monotonic() < give_up, "the lanes are not worked off"
        time.sleep(0.2)
    assert [messages(stack, name) for name in ("HighDeadLetterQueueUrl", "NormalDeadLetterQueueUrl")] == [0, 0]


def messages(stack: Stack, queue: str) -> int:
    """Return how many messages wait or are worked on."""
    names: list[Any] = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = stack.client("sqs").get_queue_attributes(QueueUrl=stack.output(queue), AttributeNames=names)["Attributes"]
    return sum(int(found[name]) for name in names)


@pytest.mark.parametrize("authorization", [None, "Bearer nonsense", "Basic dXNlcjpwYXNz", "Bearer"])
def test_what_the_gateway_answers_without_a_good_token_is_documented(stack: Stack, authorization: str | None) -> None:
    anonymous = ApiClient(stack.api_url, stack.host_header)
    headers = {"Authorization": authorization} if authorization else {}
    for method, path, _ in SECURED:
        answer = anonymous.request(method, path, headers=headers)
        assert answer.status == 401
        assert_is_documented(method, path, answer.status, answer.headers, answer.body)


def test_what_the_gateway_answers_to_a_token_of_the_other_scope_is_documented(stack: Stack) -> None:
    # GIVEN
    clients = {
        scope: ApiClient(stack.api_url, stack.host_header, fetch_token(stack, [scope]))
        for scope in ("predictions/read", "predictions/write")
    }
    # WHEN
    for method, path, scopes in SECURED:
        (other,) = set(clients) - set(scopes)
        answer = clients[other].request(method, path)
        # THEN
        assert answer.status == 403
        assert_is_documented(method, path, answer.status, answer.headers, answer.body)
