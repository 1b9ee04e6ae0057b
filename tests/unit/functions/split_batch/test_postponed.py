"""Messages of batches that come again later are counted, because no metric of the queue shows them."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from functions.split_batch.handler import POSTPONED, lambda_handler
from matchcast.bootstrap import batch_work
from matchcast.errors import StorageUnavailable
from matchcast.ports import Received
from matchcast.tasks.settle import Outcome
from tests.support.http_events import Context


@dataclass
class Attendant:
    """Has every message come again, or none."""

    done: bool

    def attend(self, received: Received) -> Outcome:
        problem = None if self.done else StorageUnavailable("no table")
        return Outcome(received.message_id, done=self.done, problem=problem)


@pytest.mark.parametrize("done", [True, False])
def test_a_postponed_message_is_counted_and_comes_again(
    done: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN
    monkeypatch.setattr(batch_work, "attend_batches", lambda: Attendant(done))

    # WHEN
    answer = lambda_handler({"Records": [{"messageId": "m", "receiptHandle": "r", "body": "{}"}]}, Context())

    # THEN
    assert answer == {"batchItemFailures": [] if done else [{"itemIdentifier": "m"}]}
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert [record[POSTPONED] for record in records] == ([] if done else [[1.0]])
