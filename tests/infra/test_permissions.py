"""Every call of the SDK that a function's code can make is granted to its role, or known not to be made by it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.infra.test_artifacts import closure
from tests.infra.test_functions import GRANTS, logical, target
from tests.support.template import ROOT

# By the beginning of a module's name; the composition root reads the secret itself.
SERVICES = {
    "batch_reads": "dynamodb",
    "dynamodb_": "dynamodb",
    "http": "secretsmanager",
    "kms_": "dynamodb",
    "lambda_": "lambda",
    "marked_writes": "dynamodb",
    "s3_": "s3",
    "sqs_": "sqs",
}
# Operations whose permission has another name.
NAMED_OTHERWISE = {
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "s3:DeleteObjects": "s3:DeleteObject",
    "s3:ListObjectsV2": "s3:ListBucket",
    "lambda:Invoke": "lambda:InvokeFunction",
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "s3:HeadObject": "s3:GetObject",
    **dict.fromkeys(["s3:CreateMultipartUpload", "s3:UploadPart", "s3:CompleteMultipartUpload"], "s3:PutObject"),
    # What a client does with what was signed, it does by the permissions of who signed it.
    "s3:GeneratePresignedPost": "s3:PutObject",
    "s3:GeneratePresignedUrl": "s3:GetObject",
    # A transaction needs the permissions of its writes, which are updates.
    "dynamodb:TransactWriteItems": "dynamodb:UpdateItem",
}
# Without it S3 answers 403 for a key that is missing, and the code could not tell that from a missing permission.
TELLS_MISSING_KEYS = {"s3:ListBucket"}
# What `GetObject` and `HeadObject` of a pinned version need.
PINNED = {"s3:GetObjectVersion"}
MULTIPART = {"s3:AbortMultipartUpload"}
POLLED = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility"}
READ_AS_STREAM = {
    f"dynamodb:{action}" for action in ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")
}
WRITES_OBJECTS = {"s3:PutObject", "s3:DeleteObject"}
RECEIVES = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"}
# Who checks callbacks lists secrets; who manages callbacks makes no values readable.
SECRETS = {"kms:Encrypt", "kms:Decrypt"}
# Functions that page no list get the module of the tenant's claim, where the cursors are too.
CURSORS = {"secretsmanager:GetSecretValue"}
NEVER_MADE: dict[str, set[str]] = {
    "serve_predictions": WRITES_OBJECTS,
    "predict_now": {*WRITES_OBJECTS, *RECEIVES, "dynamodb:UpdateItem", *CURSORS},
    "submit_prediction": {*WRITES_OBJECTS, *RECEIVES, "dynamodb:UpdateItem", *CURSORS, *SECRETS},
    "track_tasks": {*WRITES_OBJECTS, *RECEIVES},
    "manage_batches": {"s3:DeleteObject", *MULTIPART, *SECRETS},
    "manage_webhooks": {"kms:Decrypt", *CURSORS, "sqs:ChangeMessageVisibility"},
    "deliver_webhooks": {"kms:Encrypt", "dynamodb:BatchGetItem"},
    # Letters are left to operators; the modules that it shares with the others accept tasks.
    "sweep_dead_letters": {
        *MULTIPART,
        "s3:PutObject",
        "s3:GetObject",
        "sqs:DeleteMessage",
        "dynamodb:PutItem",
        "dynamodb:Query",
    },
    # The inputs of batches are split, and their files joined, by another function.
    "run_inference": {"s3:DeleteObject", *MULTIPART, "dynamodb:Query"},
    "split_batch": {"s3:DeleteObject"},
    # It waits for its batches, and lists neither parts nor batches.
    "refresh_snapshot": {"dynamodb:Query"},
}


def calls(module: str, file: Path) -> Iterator[str]:
    """Yield the permissions that the calls of one module need."""
    name = module.rpartition(".")[2]
    service = next((service for prefix, service in SERVICES.items() if name.startswith(prefix)), None)
    for node in ast.walk(ast.parse((ROOT / file).read_text())):
        match node:
            case ast.Attribute(value=ast.Attribute(attr="_kms"), attr=operation):
                yield f"kms:{operation.capitalize()}"
                continue
            case ast.Call(func=ast.Attribute(attr="get_paginator"), args=[ast.Constant(value=str(operation))]):
                pass
            case ast.Attribute(value=ast.Attribute(attr="_client") | ast.Name(id="secrets_manager"), attr=operation):
                if operation == "get_paginator":
                    continue
            case _:
                continue
        assert service is not None, f"{module} calls {operation}; say in SERVICES of which service that is"
        action = f"{service}:{''.join(word.capitalize() for word in operation.split('_'))}"
        yield NAMED_OTHERWISE.get(action, action)


@pytest.mark.parametrize("name", sorted(GRANTS))
def test_a_role_grants_the_calls_of_its_function_and_no_others(name: str, plain: dict[str, Any]) -> None:
    # GIVEN what the function's modules can call
    can_call = {action for module, file in closure(name).items() for action in calls(module, file)}
    polled = POLLED if name in {"run_inference", "split_batch", "deliver_webhooks"} else set()
    polled = polled | (READ_AS_STREAM if name == "deliver_webhooks" else set())
    # WHEN its role is read
    role = plain["Resources"][f"{logical(name)}Role"]["Properties"]
    statements = [each for policy in role["Policies"] for each in policy["PolicyDocument"]["Statement"]]
    granted = {
        action
        for statement in statements
        if not target(statement["Resource"]).endswith("LogGroup")
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    # THEN what it grants is called, and what is called is granted, but for what this function never asks for
    assert granted - can_call - polled - TELLS_MISSING_KEYS - PINNED == set()
    assert can_call - granted == NEVER_MADE[name]
