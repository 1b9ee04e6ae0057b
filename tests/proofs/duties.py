"""Every function of a laptop stack at all of its duties: what it reads, writes, sends, and falls back on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any

from matchcast_tools.stack.api_client import Answer, ApiClient
from matchcast_tools.stack.deployed import Stack
from tests.conformance.receiver import Receiver
from tests.proofs.batch_duties import BatchDuties
from tests.proofs.callback_duties import CallbackDuties
from tests.proofs.conditions import QUEUES, Conditions
from tests.proofs.snapshot_duties import SnapshotDuties

ENDS_WITHIN = 30.0


class Duties:
    """Lets a function do everything it is for, and notes what a client or an operator would find wrong.

    Parameters
    ----------
    stack
        A laptop stack with the sample league, whose functions look for releases every second.
    receiver
        Where events of tasks and batches are delivered.
    start_afresh
        Lets a function's next invocation find nothing in memory.
    denied
        Whether something was denied lately; then nobody waits for tasks any more.
    """

    def __init__(
        self, stack: Stack, receiver: Receiver, start_afresh: Callable[[str], None], denied: Callable[[], bool]
    ) -> None:
        self._stack, self._start_afresh, self._denied = stack, start_afresh, denied
        self._api, self._conditions = ApiClient.of(stack), Conditions(stack)
        page = self._api.get("/predict/predictions/", limit=100).expect(200)
        self._matches: Iterator[str] = cycle([item["match_id"] for item in page["items"]])
        self._wrong: list[str] = []
        self._batches = BatchDuties(stack, self._conditions, self._ask, self._demand, self._soon)
        self._callbacks = CallbackDuties(
            stack, self._conditions, receiver, ask=self._ask, demand=self._demand, soon=self._soon
        )
        self._snapshots = SnapshotDuties(stack, self._conditions, self._demand)

    def of(self, function: str) -> list[str]:
        """Let the function do all of its duties; return what went wrong."""
        self._wrong = []
        try:
            getattr(self, f"_{function}")()
        finally:
            self._conditions.purge()
        return self._wrong

    def _serve_predictions(self) -> None:
        page = self._get("/predict/predictions/?limit=1")
        if page.status == 200:
            self._get(f"/predict/predictions/?limit=1&cursor={page.json['next_cursor']}")
        for path in ("/predict/cards/?limit=1", "/predict/region-roi/", "/predict/model/scorecard", "/health"):
            self._get(path)
        with self._conditions.unreadable_manifest():
            self._start_afresh("serve_predictions")
            # It names the features of the champion.
            self._get("/openapi.json")

    def _predict_now(self) -> None:
        match = next(self._matches)
        self._get(f"/predict/{match}")
        again = self._get(f"/predict/{match}")
        self._demand(again.status == 200 and again.json["cached"], "the second answer does not come from the cache")
        self._get("/predict/model/info")
        for prefer in ("respond-async", "wait=5, respond-async"):
            self._ask("GET", f"/predict/{next(self._matches)}", 200, 202, headers={"Prefer": prefer})
        stored = self._get(f"/predict/precomputed/{match}").json["features"]
        signature = self._get("/predict/model/info")
        if signature.status == 200:
            features = {column["name"]: stored[column["name"]] for column in signature.json["signature"]["inputs"]}
            for _ in range(2):
                headers = {"Prefer": "respond-async", "Idempotency-Key": f"duty-{match}"}
                self._ask("POST", "/predict/", 202, headers=headers, body=json.dumps({"features": features}))
        with self._conditions.unreadable_manifest():
            self._start_afresh("predict_now")
            self._ask("GET", f"/predict/{next(self._matches)}", 202, headers={"Prefer": "respond-async"})

    def _submit_prediction(self) -> None:
        for lane in QUEUES:
            match, key = next(self._matches), {"Idempotency-Key": f"duty-{time.time_ns()}"}
            answers = [self._submit(match, lane, key) for _ in range(2)]
            ids = {answer.json.get("task_id") for answer in answers}
            self._demand(len(ids) == 1, "one key made several tasks")
        self._callbacks.make_secret()
        self._submit(next(self._matches), "normal", callback_url=self._callbacks.site().url)
        with self._conditions.unreadable_manifest():
            self._start_afresh("submit_prediction")
            self._submit(next(self._matches), "normal")

    def _track_tasks(self) -> None:
        with self._conditions.resting():
            for lane in QUEUES:
                task = self._submit(next(self._matches), lane).json["task_id"]
                self._get(f"/monitoring/task_status/{task}")
                self._ask("GET", f"/results/{task}", 202)
                self._ask("DELETE", f"/predict/async/{task}", 200)
                self._ask("POST", f"/predict/async/{task}/retry", 202, body="{}")
            page = self._get("/predict/async/?limit=1")
            if page.status == 200:
                self._get(f"/predict/async/?limit=1&cursor={page.json['next_cursor']}")
            expiring = self._submit(next(self._matches), "normal", start_within=1).json["task_id"]
            time.sleep(1.1)
            shown = self._get(f"/monitoring/task_status/{expiring}")
            self._demand(shown.status == 200 and shown.json["status"] == "expired", "a task does not expire")
            with self._conditions.unreadable_manifest():
                self._start_afresh("track_tasks")
                cancelled = self._submit(next(self._matches), "normal").json["task_id"]
                self._ask("DELETE", f"/predict/async/{cancelled}", 200)
                self._ask("POST", f"/predict/async/{cancelled}/retry", 202, body="{}")

    def _manage_batches(self) -> None:
        batches, matches = self._batches, [next(self._matches) for _ in range(3)]
        self._callbacks.make_secret()
        done = batches.submit(matches, callback_url=self._callbacks.site().url)
        batches.ends(done, "succeeded")
        batches.download(done)
        with self._conditions.resting("batches"):
            batches.cancel(batches.submit(input=batches.upload(matches)))
        batches.list()
        with self._conditions.unreadable_manifest():
            self._start_afresh("manage_batches")
            batches.submit(matches)

    def _split_batch(self) -> None:
        batches, matches = self._batches, [next(self._matches) for _ in range(3)]
        with self._conditions.resting("batches"):
            unrecorded = batches.submit(matches)
            batches.forget(unrecorded)
        batches.ends(unrecorded, "succeeded")
        with self._conditions.resting("normal"):
            lost = batches.submit(input=batches.upload(matches))
            batches.ends(lost, "running")
            batches.lose(lost)
            batches.ends(lost, "succeeded")
        self._conditions.poison("batches")
        buried = self._soon(lambda: self._conditions.dead_letters("batches") == 1)
        self._demand(buried, "the poison of batches is no dead letter")
        batches.send_unknown()
        time.sleep(2)  # it is received, and comes again after ten seconds
        self._demand(self._conditions.waiting("batches") == 1, "a message that may pass does not come again")

    def _sweep_dead_letters(self) -> None:
        with self._conditions.resting():
            tasks = [self._submit(next(self._matches), lane).json["task_id"] for lane in QUEUES]
            for lane in QUEUES:
                self._conditions.dead_letter(lane)
            of_a_part = self._batches.submit([next(self._matches)])
            self._batches.ends(of_a_part, "running")
            self._conditions.dead_letter("normal")
        with self._conditions.resting("batches"):
            of_a_batch = self._batches.submit([next(self._matches)])
            self._conditions.dead_letter("batches")
        name = self._stack.output("SweepDeadLettersFunctionName")
        answer = self._stack.client("lambda").invoke(FunctionName=name, Payload=b"{}")
        self._demand(not answer.get("FunctionError"), "the sweep failed")
        self._demand(self._ends(tasks, "failed"), "the tasks of dead letters do not fail")
        self._batches.ends(of_a_batch, "failed")
        self._batches.ends(of_a_part, "succeeded")

    def _run_inference(self) -> None:
        # The lane of high tasks rests, so that the worker of the normal one helps it.
        with self._conditions.resting() as wake:
            tasks = [self._submit(next(self._matches), lane).json["task_id"] for lane in QUEUES]
            self._conditions.poison()
            wake("normal")
            self._demand(self._ends(tasks, "succeeded"), "the tasks of both lanes do not succeed")
            gone = self._soon(lambda: self._conditions.waiting("high") == 0)
            self._demand(gone, "what was taken to help the high lane is not deleted")
        self._batches.ends(self._batches.submit([next(self._matches)]), "succeeded")
        for lane in QUEUES:
            self._demand(self._conditions.dead_letters(lane) == 1, f"the {lane} poison is no dead letter")
        with self._conditions.resting() as wake, self._conditions.unloadable_model():
            self._start_afresh("run_inference")
            late = [self._submit(next(self._matches), lane).json["task_id"] for lane in QUEUES]
            for lane in QUEUES:
                wake(lane)
            self._demand(self._soon(lambda: all(self._attempts(task) for task in late)), "no attempt is counted")
        with self._conditions.unreadable_manifest():
            self._start_afresh("run_inference")
            self._get(f"/predict/{next(self._matches)}")

    def _refresh_snapshot(self) -> None:
        self._snapshots.refresh()
        self._snapshots.refresh_by_batches()

    def _deliver_webhooks(self) -> None:
        self._callbacks.deliver(self._matches)

    def _manage_webhooks(self) -> None:
        self._callbacks.manage(self._matches, self._batches)

    def _ask(self, method: str, path: str, *statuses: int, **request: Any) -> Answer:
        answer = self._api.request(method, path, **request)
        self._demand(answer.status in statuses, f"{method} {path.partition('?')[0]} answers {answer.status}")
        return answer

    def _get(self, path: str) -> Answer:
        return self._ask("GET", path, 200)

    def _demand(self, holds: bool, otherwise: str) -> None:
        if not holds:
            self._wrong.append(otherwise)

    def _submit(self, match: str, lane: str, headers: dict[str, str] | None = None, **more: Any) -> Answer:
        body = json.dumps({"match_id": match, "priority": lane, **more})
        return self._ask("POST", "/predict/async/", 202, body=body, headers=headers or {})

    def _ends(self, tasks: list[str], status: str) -> bool:
        """Return whether all tasks have a status soon."""
        return self._soon(lambda: all(self._task(task)["status"] == status for task in tasks))

    def _attempts(self, task: str) -> int:
        return int(self._task(task)["attempts"])

    def _task(self, task: str) -> dict[str, Any]:
        found: dict[str, Any] = self._api.get(f"/monitoring/task_status/{task}").expect(200)
        return found

    def _soon(self, holds: Callable[[], bool]) -> bool:
        give_up = time.monotonic() + ENDS_WITHIN
        while not holds():
            if self._denied() or time.monotonic() > give_up:
                return False
            time.sleep(0.1)
        return True
