"""Clients of batches: they upload, submit, read, list, cancel and retry, and repeat what was not answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.faults.batch_rows import FORMATS, Row, draw_rows, encoded
from tests.faults.batch_witness import BatchWitness
from tests.faults.clients import Client
from tests.faults.requests import Request
from tests.faults.world import World
from tests.support.http_events import Answer

_BROKEN = (b"no file of that kind \x00\xff", b"custom_id,match_id\n")
_PATH = "/predict/batch/"


class BatchClient:
    """One user of a tenant's batches; `known` are those that all of them have heard of."""

    def __init__(self, world: World, name: str, tenant: str, witness: BatchWitness, known: list[str]) -> None:
        self.name = name
        self._world = world
        self._rng = world.rng
        self._tenant = tenant
        self.witness = witness
        self._known = known
        self._http = Client(world, name, tenant, [])
        self._made = 0
        self._repeatable: list[tuple[str, Request]] = []

    def work(self) -> None:
        """Submit a batch, and then do a few things."""
        acts: dict[str, Callable[[], object]] = {
            "submit": self._submit,
            "read": self._read,
            "list": self.list_all,
            "cancel": self._cancel,
            "retry": self._retry,
            "repeat": self._repeat,
        }
        self._submit()
        plot = self._world.plot
        for _ in range(self._rng.randint(1, plot.most_batch_acts)):
            self._world.scheduler.pause(self._rng.expovariate(1 / plot.batch_haste))
            acts[self._rng.choice(plot.batch_acts) if self._known else "submit"]()

    def look(self) -> None:
        """Read all batches that were ever promised, and the list of them."""
        for batch_id, (owner, _) in list(self.witness.promised.items()):
            if owner == self._tenant:
                self.read(batch_id)
        self.list_all()

    def read(self, batch_id: str) -> None:
        """Read a batch, with links of its files, and perhaps with its parts."""
        began = self._world.scheduler.true_time()
        query = {"links": "true", **({"parts": "true"} if self._rng.random() < 0.3 else {})}
        found = self._request("read", "GET", _PATH + batch_id, query=query)
        if found is not None and found.status == 200:
            self.witness.saw(found.json, began)
        elif found is not None and found.status in (404, 410):
            self.witness.missed(batch_id, found.status)

    def list_all(self) -> None:
        """Walk the list of the tenant's batches to its end."""
        began, cursor, ids = self._world.scheduler.true_time(), None, []
        while True:
            query: dict[str, Any] = {"limit": 2, **({"cursor": cursor} if cursor else {})}
            found = self._request("list", "GET", _PATH, query=query)
            if found is None or found.status != 200:
                return
            ids += [each["batch_id"] for each in found.json["items"]]
            cursor = found.json["next_cursor"]
            if cursor is None:
                self.witness.listed(self._tenant, ids, began)
                return

    def _submit(self) -> None:
        body: dict[str, Any] = {"output_format": self._rng.choice(("parquet", "jsonl"))}
        if self._rng.random() < 0.4:
            rows = self._rows(only_matches=True)
            body["match_ids"] = [row.match_id for row in rows]
        else:
            file_format = self._rng.choice(FORMATS)
            made = {"format": file_format.partition(".")[0], "gzip": file_format.endswith(".gz")}
            found = self._request("upload", "POST", f"{_PATH}uploads", body=made)
            if found is None or found.status != 201:
                return
            body["input"] = found.json["fields"]["key"]
            self._upload(body["input"], file_format)
        callback = self._world.callbacks.an_address(self._tenant)
        if callback is not None:
            body["callback_url"] = callback
        key = self._key()
        self._insist("submit", self._made_request("POST", _PATH, key, body))
        if "input" in body and self._rng.random() < 0.2:
            # The form takes another file, which is another version.
            self._upload(body["input"], file_format)

    def _rows(self, *, only_matches: bool) -> tuple[Row, ...]:
        plot = self._world.plot
        return draw_rows(self._rng, failing=plot.failing_rows, most=plot.most_rows, only_matches=only_matches)

    def _upload(self, key: str, file_format: str) -> None:
        s3, is_broken = self._world.s3, self._rng.random() < 0.08
        rows = self._rows(only_matches=False)
        s3.put(key, self._rng.choice(_BROKEN) if is_broken else encoded(rows, file_format))
        self._world.batches.inputs[key, s3.stored[key].version_id] = None if is_broken else rows

    def _insist(self, how: str, request: Request) -> None:
        """Send a request until it is answered, perhaps from two places, and perhaps once more although it is."""
        if request.key is not None:
            self._repeatable.append((how, request))
            if self._rng.random() < self._world.plot.twins:
                self._world.scheduler.start(f"{self.name}'", lambda: self._send_often(how, request))
        self._send_often(how, request)

    def _send_often(self, how: str, request: Request) -> None:
        for _ in range(self._rng.randint(1, 3)):
            status = self._send(how, request)
            if status is not None and status not in (429, 503, 504):
                return
            self._world.scheduler.pause(self._rng.expovariate(1 / 3))
            if request.key is None and self._rng.random() < 0.5:
                return

    def _send(self, how: str, request: Request) -> int | None:
        began = self._world.scheduler.true_time()
        found = self._http.request(request)
        if found is None:
            return None
        if found.status == 202:
            self.witness.accepted(how, request, found.json, began)
            if found.json["batch_id"] not in self._known:
                self._known.append(found.json["batch_id"])
        elif found.status < 500:
            self.witness.refused(how, request, found, began)
        return found.status

    def _retry(self) -> None:
        self._insist("retry", self._made_request("POST", f"{_PATH}{self._any()}/retry-failed", self._key()))

    def _repeat(self) -> None:
        if self._repeatable:
            self._send(*self._rng.choice(self._repeatable))

    def _read(self) -> None:
        self.read(self._any())

    def _cancel(self) -> None:
        batch_id, began = self._any(), self._world.scheduler.true_time()
        self._world.batches.cancelled.add(batch_id)
        found = self._request("cancel", "DELETE", _PATH + batch_id)
        if found is not None and found.status == 200:
            self.witness.saw(found.json, began)
        elif found is not None and found.status in (404, 410):
            self.witness.missed(batch_id, found.status)
        elif found is not None and found.status == 409 and " already" not in found.json["detail"]:
            self._world.witness.findings.illegal.append(f"an open batch was not cancelled: {found.json['detail']}")

    def _any(self) -> str:
        return self._known[-1] if self._rng.random() < 0.7 else self._rng.choice(self._known)

    def _key(self) -> str | None:
        self._made += 1
        return f"{self.name}-{self._made}" if self._rng.random() < self._world.plot.keyed else None

    def _made_request(self, method: str, path: str, key: str | None = None, body: Any = None) -> Request:
        return Request("batch", self._tenant, "manage_batches", method, path, key, body=body)

    def _request(
        self, _: str, method: str, path: str, body: Any = None, query: dict[str, Any] | None = None
    ) -> Answer | None:
        return self._http.request(self._made_request(method, path, body=body), query)
