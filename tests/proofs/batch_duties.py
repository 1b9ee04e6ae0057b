"""Batches on a laptop stack, as clients and operators use them: what the functions of batches are for."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import urllib3

from matchcast.batch_messages import LosePart, SplitBatch, encode_message
from matchcast_tools.stack.api_client import Answer
from matchcast_tools.stack.deployed import Stack
from tests.proofs.conditions import Conditions

Ask = Callable[..., Answer]
"""Makes a request (method, path, expected statuses), and notes an answer that was not expected."""


class BatchDuties:
    """What clients ask of batches.

    Parameters
    ----------
    stack, conditions
        The stack, and what can be made to misbehave in it.
    ask, demand, soon
        How requests are made, how is noted what is wrong, and how is waited for what has to come.
    """

    def __init__(
        self,
        stack: Stack,
        conditions: Conditions,
        ask: Ask,
        demand: Callable[[bool, str], None],
        soon: Callable[[Callable[[], bool]], bool],
    ) -> None:
        self._stack, self._conditions = stack, conditions
        self._ask, self._demand, self._soon = ask, demand, soon

    def submit(self, rows: Sequence[str] = (), **more: Any) -> str:
        """Submit a batch of match ids, or of an upload; return its id."""
        body = {"match_ids": list(rows)} | more if rows else more
        headers = {"Idempotency-Key": f"duty-{time.time_ns()}"}
        answers = [
            self._ask("POST", "/predict/batch/", 202, body=json.dumps(body), headers=headers).json for _ in range(2)
        ]
        ids = {str(answer.get("batch_id")) for answer in answers}
        self._demand(len(ids) == 1, "one key made several batches")
        return ids.pop()

    def upload(self, matches: Sequence[str]) -> str:
        """Upload match ids as a file; return its key."""
        form = self._ask("POST", "/predict/batch/uploads", 201, body=json.dumps({"format": "csv"})).json
        content = "match_id\n" + "".join(f"{match}\n" for match in matches)
        if "url" in form:
            fields = {**form["fields"], "file": ("rows", content.encode(), "text/csv")}
            answer = urllib3.request("POST", form["url"], fields=fields, retries=False)
            self._demand(answer.status < 300, "the form uploads nothing")
        return str(form.get("input"))

    def read(self, batch_id: str, options: str = "") -> dict[str, Any]:
        """Return a batch."""
        return dict(self._ask("GET", f"/predict/batch/{batch_id}{options}", 200).json)

    def cancel(self, batch_id: str) -> None:
        """Cancel a batch."""
        self._ask("DELETE", f"/predict/batch/{batch_id}", 200)

    def download(self, batch_id: str) -> None:
        """Read the output of a batch by its address."""
        links = self.read(batch_id, "?links=true&parts=true").get("links", {})
        address = links.get("output")
        answer = urllib3.request("GET", address, retries=False) if address else None
        self._demand(answer is not None and answer.status == 200, "the output cannot be downloaded")

    def list(self) -> None:
        """List batches, two pages."""
        page = self._ask("GET", "/predict/batch/?limit=1", 200)
        if page.status == 200:
            self._ask("GET", f"/predict/batch/?limit=1&cursor={page.json['next_cursor']}", 200)

    def ends(self, batch_id: str, status: str) -> None:
        """Demand that a batch soon has a status; one without a record may still get it."""
        path = f"/predict/batch/{batch_id}"
        reached = self._soon(lambda: self._ask("GET", path, 200, 404).json.get("status") == status)
        self._demand(reached, f"a batch does not become {status}")

    def lose(self, batch_id: str) -> None:
        """Have the first part of a batch ended as lost, as the sweep does."""
        lost = LosePart(batch_id=batch_id, tenant=self._tenant(batch_id), position=0, number=0)
        self._conditions.send("batches", encode_message(lost))

    def forget(self, batch_id: str) -> None:
        """Delete the record of a batch: its submission did not come to write it."""
        key = {"pk": {"S": f"batch#{batch_id}"}, "sk": {"S": "batch"}}
        self._stack.client("dynamodb").delete_item(TableName=self._stack.output("TasksTableName"), Key=key)

    def send_unknown(self) -> None:
        """Send a message of a batch that is nowhere: it comes again later, and is then given up."""
        self._conditions.send("batches", encode_message(SplitBatch(batch_id="unknown", tenant="nobody")))

    def _tenant(self, batch_id: str) -> str:
        key = {"pk": {"S": f"batch#{batch_id}"}, "sk": {"S": "batch"}}
        table = self._stack.output("TasksTableName")
        item = self._stack.client("dynamodb").get_item(TableName=table, Key=key, ConsistentRead=True).get("Item", {})
        return str(item.get("tenant", {}).get("S", "nobody"))
