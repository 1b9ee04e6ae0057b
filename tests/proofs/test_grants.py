"""Taking a permission away leaves all others as they were."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from cfn_lint_rules._rule import as_list
from tests.proofs.grants import BATCH, Grant, less
from tests.proofs.permissions import NOT_ASKED_FOR, excuse

STATEMENTS: list[dict[str, Any]] = [
    {
        "Sid": "Send",
        "Effect": "Allow",
        "Action": ["sqs:SendMessage", "sqs:SendMessageBatch"],
        "Resource": ["high", "normal"],
    },
    {"Sid": "Read", "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "models/*"},
    {"Sid": "ReadOthers", "Effect": "Allow", "Action": "s3:GetObject", "Resource": ["models/*", "snapshots/*"]},
]


def allowed(statements: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    return {
        (statement["Sid"], action, resource)
        for statement in statements
        for action, resource in product(as_list(statement["Action"]), as_list(statement["Resource"]))
    }


@pytest.mark.parametrize(
    ("sid", "action", "resource", "count"),
    [
        ("Send", "sqs:SendMessage", "high", 2),
        ("Read", "s3:GetObject", "models/*", 1),
        ("ReadOthers", "s3:GetObject", "models/*", 1),
    ],
)
def test_what_is_taken_away_is_one_action_on_one_resource_and_its_batch_form(
    sid: str, action: str, resource: str, count: int
) -> None:
    left = allowed(list(less(STATEMENTS, Grant("f", sid, action, resource))))

    taken = allowed(STATEMENTS) - left
    assert left < allowed(STATEMENTS)
    assert taken <= {(sid, action, resource), (sid, action + BATCH, resource)}
    assert len(taken) == count


def test_every_effect_stays_an_allow() -> None:
    assert {one["Effect"] for one in less(STATEMENTS, Grant("f", "Send", "sqs:SendMessage", "high"))} == {"Allow"}


@pytest.mark.parametrize(
    ("grant", "excused"),
    [
        (Grant("track_tasks", "WriteLogs", "logs:PutLogEvents", "arn:aws:logs:r:0:log-group:x:*"), True),
        (Grant("run_inference", "ReceiveMessages", "sqs:DeleteMessage", "arn:aws:sqs:r:0:matchcast-normal"), True),
        (Grant("run_inference", "ReceiveMessages", "sqs:DeleteMessage", "arn:aws:sqs:r:0:matchcast-high"), False),
        (Grant("predict_now", "SendMessages", "sqs:SendMessage", "arn:aws:sqs:r:0:matchcast-normal"), False),
        (Grant("deliver_webhooks", "ReadStream", "dynamodb:GetRecords", "arn:aws:dynamodb:r:0:table/t/stream/s"), True),
        (Grant("deliver_webhooks", "DeliverEvents", "dynamodb:GetItem", "arn:aws:dynamodb:r:0:table/t"), False),
    ],
)
def test_only_what_a_laptop_cannot_ask_for_is_excused(grant: Grant, excused: bool) -> None:
    assert (excuse(grant) in NOT_ASKED_FOR.values()) is excused
