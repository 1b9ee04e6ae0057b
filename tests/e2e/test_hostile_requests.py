"""Hostile requests against a running stack: no fault, no long answer, no long wait, and nothing left behind."""

from __future__ import annotations

import json

from matchcast_tools.stack.api_client import ApiClient
from matchcast_tools.stack.deployed import Stack
from tests.e2e.hostile import Outcome, requests, send


def test_no_hostile_request_gets_a_fault_a_long_answer_or_a_long_wait(stack: Stack, api: ApiClient, token: str) -> None:
    # GIVEN
    match_id = api.get("/predict/predictions/", limit=1).expect(200)["items"][0]["match_id"]
    api.get(f"/predict/{match_id}").expect(200)

    # WHEN
    outcomes = [send(stack, token, request) for request in requests(match_id)]

    # THEN
    print("\n".join(outcome.line() for outcome in outcomes))  # noqa: T201 - the table, for who asks for it with -s
    assert [outcome.line() for outcome in outcomes if not outcome.is_good] == []
    assert len(outcomes) > 60
    problems = [json.loads(outcome.content) for outcome in outcomes if is_problem(outcome)]
    assert all(problem["type"].startswith("urn:matchcast:problem:") and problem["detail"] for problem in problems)
    assert api.get("/health").status == 200


def is_problem(outcome: Outcome) -> bool:
    # A 401 is the gateway's own answer, and a HEAD's has no body.
    return outcome.status >= 400 and outcome.status != 401 and bool(outcome.content)
