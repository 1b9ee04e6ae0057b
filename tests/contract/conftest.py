"""Every port twice: in memory, and on AWS's services as moto has them, made from the template."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws
from moto.sqs.models import Queue

from tests.support.template import deploy_storage


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Return the names of the template's storage and queues, made in moto."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    _delete_one_at_a_time(monkeypatch)
    with mock_aws():
        yield deploy_storage(boto3.session.Session())


def _delete_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep messages deleted: of two deletions at once, moto may undo one, which SQS does not."""
    one_at_a_time, delete = threading.Lock(), Queue.delete_message

    def alone(queue: Queue, receipt_handle: str) -> None:
        with one_at_a_time:
            delete(queue, receipt_handle)

    monkeypatch.setattr(Queue, "delete_message", alone)
