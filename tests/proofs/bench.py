"""The bench of a proof: a laptop stack that serves Python models, a client, and a registry to release from."""

from __future__ import annotations

import signal
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from matchcast.adapters.s3_objects import S3Objects
from matchcast_tools.models.publish import Publication, publish_models
from matchcast_tools.models.release_run import ReleaseRun
from matchcast_tools.models.tracking import Tracking
from matchcast_tools.stack.api_client import ApiClient
from matchcast_tools.stack.deployed import Stack
from tests.proofs.timing import Timed, register_timed_model
from tests.support.laptop import Command

REFRESH_SECONDS = 1
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Bench:
    """What a proof works with."""

    folder: Path
    command: Command
    stack: Stack
    api: ApiClient
    tracking: Tracking

    @property
    def data(self) -> Path:
        """The dataset of the sample league."""
        return self.command.sample / "data"

    @cached_property
    def bucket(self) -> S3Objects:
        """The data bucket."""
        return S3Objects(self.stack.client("s3"), self.stack.output("DataBucketName"))

    @property
    def matches(self) -> list[str]:
        """Ids of matches that have predictions."""
        page = self.api.get("/predict/predictions/", limit=100).expect(200)
        return [item["match_id"] for item in page["items"]]

    def at_once(self, call: Callable[[T], R], subjects: Sequence[T], threads: int = 16) -> list[R]:
        """Return what `call` makes of each subject, many at a time."""
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(call, subjects))

    def submit(self, stage: str, priorities: Sequence[str]) -> list[str]:
        """Submit a task for each priority, over matches in turn; return their ids in order."""
        matches = self.matches

        def one(number: int) -> str:
            body = {"match_id": matches[number % len(matches)], "stage": stage, "priority": priorities[number]}
            return str(self.api.post("/predict/async/", body).expect(202)["task_id"])

        return self.at_once(one, range(len(priorities)))

    def tasks(self, task_ids: Collection[str]) -> dict[str, dict[str, Any]]:
        """Return tasks by id, out of the tenant's list, newest first, as far back as it takes."""
        wanted, found = set(task_ids), dict[str, dict[str, Any]]()
        cursor: str | None = None
        while wanted - found.keys():
            page = self.api.get("/predict/async/", limit=100, cursor=cursor).expect(200)
            found |= {task["task_id"]: task for task in page["items"] if task["task_id"] in wanted}
            cursor = page["next_cursor"]
            if cursor is None:
                break
        return found

    def wait_for(self, task_ids: Sequence[str], seconds: float) -> dict[str, dict[str, Any]]:
        """Return the tasks as soon as none of them is queued, or as they are after `seconds`."""
        give_up = time.monotonic() + seconds
        while True:
            tasks = self.tasks(task_ids)
            queued = [task for task in tasks.values() if task["status"] == "queued"]
            if (not queued and len(tasks) == len(set(task_ids))) or time.monotonic() > give_up:
                return tasks
            time.sleep(min(5.0, max(1.0, len(queued) / 100)))

    def champion_features(self, number: int) -> dict[str, float]:
        """Return features for the champion, other ones for each number, so that no answer is cached."""
        names = [column["name"] for column in self.champion["signature"]["inputs"]]
        return {name: float(number % 7) for name in names}

    @cached_property
    def champion(self) -> dict[str, Any]:
        """The description of the champion."""
        return dict(self.api.get("/predict/model/info").expect(200))

    def publish_unserved(self, stage: str) -> Publication:
        """Register a healthy `TimedModel` under an alias and publish it."""
        register_timed_model(self.tracking, stage, self.folder / f"{stage}-{time.time_ns()}")
        return self.publish(stage)

    def release_timed_model(self, stage: str, more_features: Sequence[str] = ()) -> Timed:
        """Register a healthy `TimedModel` under an alias, publish it, and wait until it is served."""
        folder = self.folder / f"{stage}-{time.time_ns()}"
        timed = register_timed_model(self.tracking, stage, folder, more_features=more_features)
        release = self.publish(stage)
        self.until_served(stage, release.manifest.stages[stage].run_id)
        timed.forget()
        return timed

    def publish(self, *stages: str) -> Publication:
        """Publish what the aliases name, checked on the input examples alone: a slow model has not long."""
        run = ReleaseRun(objects=self.bucket, tracking=self.tracking, runtimes=("onnx", "pyfunc"))
        return publish_models(run, stages, keep_others=True, without_matches=True)

    def until_served(self, stage: str, run_id: str) -> None:
        """Wait until every function knows the release."""
        give_up = time.monotonic() + 60
        while time.monotonic() < give_up:
            answer = self.api.get("/predict/model/info", stage=stage)
            if answer.status == 200 and answer.json["run_id"] == run_id:
                # Other environments read the manifest again within this time.
                time.sleep(REFRESH_SECONDS + 0.5)
                return
            time.sleep(0.5)
        raise RuntimeError(f"stage {stage} does not serve run {run_id}: {answer.body!r}")


@contextmanager
def bench(*options: str) -> Iterator[Bench]:
    """Run a laptop stack with the sample league for as long as a proof takes, or until somebody ends it."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="matchcast-proof-") as name:
        folder = Path(name)
        command = Command(folder / "local", folder / "sample")
        tracking = Tracking.at(command.sample)
        command.environment["MLFLOW_TRACKING_URI"] = tracking.uri
        served = ["--set", "ModelRuntime=pyfunc", "--set", f"ModelRefreshSeconds={REFRESH_SECONDS}"]
        with command.stack(*served, *options) as stack:
            yield Bench(folder, command, stack, ApiClient.of(stack), tracking)
