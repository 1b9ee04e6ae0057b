"""What is wrong with the environment, the stack and what it serves, and what to do about it."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from matchcast.domain.manifests import (
    DATASET_MANIFEST_KEY,
    MODEL_MANIFEST_KEY,
    SNAPSHOT_MANIFEST_KEY,
    DatasetManifest,
    ModelManifest,
    SnapshotManifest,
)
from matchcast.errors import MatchcastError
from matchcast_tools.errors import EnvironmentProblem
from matchcast_tools.laptop.engine import free_port
from matchcast_tools.laptop.state import Folder, engine_is_running
from matchcast_tools.stack.deployed import LOCAL, Stack, find_stack

State = Literal["ok", "warning", "error"]
SIGNS: dict[State, tuple[str, str]] = {"ok": ("ok", "green"), "warning": ("--", "yellow"), "error": ("!!", "red")}
OLDEST_PYTHON = (3, 11)
STALE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check; `remedy` says what to do where it is not ok."""

    check: str
    state: State
    detail: str
    remedy: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON has them."""
        return asdict(self)


def examine() -> list[Finding]:
    """Run every check; those that need a stack only where there is one."""
    findings = [check_python(), check_port(), check_leftovers(Folder(LOCAL))]
    try:
        stack = find_stack()
    except EnvironmentProblem as problem:
        return [*findings, Finding("stack", "warning", problem.detail)]
    return [*findings, check_api(stack), *check_manifests(stack), *check_dead_letters(stack)]


def check_python(version: tuple[int, int] = sys.version_info[:2]) -> Finding:
    """Check that the interpreter is new enough."""
    shown = ".".join(map(str, version))
    if version < OLDEST_PYTHON:
        remedy = "Install Python 3.13 and run `make setup`."
        return Finding("python", "error", f"{shown} is older than {'.'.join(map(str, OLDEST_PYTHON))}.", remedy)
    return Finding("python", "ok", f"{shown} at {sys.executable}")


def check_port() -> Finding:
    """Check that loopback ports can be used, and whether the API's host name is found without help."""
    try:
        free_port()
    except OSError as error:
        return Finding(
            "ports", "error", f"No port of 127.0.0.1 can be used: {error}.", "Bring up the loopback interface."
        )
    try:
        socket.getaddrinfo("matchcast.execute-api.localhost", None)
    except OSError:
        return Finding(
            "ports",
            "ok",
            "127.0.0.1 works; this system does not find *.localhost, but curl and browsers do by themselves",
        )
    return Finding("ports", "ok", "127.0.0.1 and *.localhost work")


def check_leftovers(folder: Folder) -> Finding:
    """Check that nothing describes a laptop stack that is gone."""
    if folder.engine.exists() and not engine_is_running(folder.root):
        return Finding(
            "leftovers",
            "warning",
            f"{folder.root} describes a laptop stack that has ended.",
            "`matchcast down` cleans up.",
        )
    return Finding("leftovers", "ok", f"none in {folder.root}")


def check_api(stack: Stack) -> Finding:
    """Check that the API answers, and what it says of itself."""
    import urllib3

    headers = {"Host": stack.host_header} if stack.host_header else {}
    try:
        answer = urllib3.PoolManager(retries=False, timeout=15).request(
            "GET", f"{stack.api_url}/health", headers=headers
        )
    except urllib3.exceptions.HTTPError as error:
        return Finding("api", "error", f"{stack.api_url} does not answer: {error}", "Start it again: `make up`.")
    body = answer.data.decode(errors="replace")
    if answer.status != 200:
        remedy = "Publish a model and make a snapshot: `matchcast publish`, `matchcast snapshot`."
        return Finding("api", "error", f"/health answers {answer.status}: {body[:300]}", remedy)
    return Finding("api", "ok", f"{stack.api_url} answers /health with 200")


def check_manifests(stack: Stack) -> Iterator[Finding]:
    """Check what is published: dataset, models, snapshot and its odds."""
    from matchcast_tools.stack.bucket import open_bucket

    try:
        objects = open_bucket(stack)
    except MatchcastError as error:
        yield Finding("bucket", "error", error.detail, "Deploy the stack again.")
        return

    def read(key: str) -> bytes | None:
        stored = objects.get(key)
        return stored.body if stored else None

    yield from check_dataset(read)
    yield from check_models(read)
    yield from check_snapshot(read, datetime.now(UTC))


Read = Callable[[str], bytes | None]


def check_dataset(read: Read) -> Iterator[Finding]:
    """Check the published dataset."""
    found = parse(
        read,
        "dataset",
        DATASET_MANIFEST_KEY,
        DatasetManifest,
        "Upload one: `matchcast import`, `features`, `snapshot`.",
    )
    if isinstance(found, Finding):
        yield found
    else:
        rows = found.files["matches.parquet"].rows if "matches.parquet" in found.files else None
        yield Finding("dataset", "ok", f"{found.dataset_id}: {rows} matches, information up to {found.as_of:%Y-%m-%d}")


def check_models(read: Read) -> Iterator[Finding]:
    """Check the published models."""
    found = parse(
        read, "models", MODEL_MANIFEST_KEY, ModelManifest, "Publish one: `matchcast train`, `matchcast publish`."
    )
    if isinstance(found, Finding):
        yield found
    else:
        stages = ", ".join(f"{stage} = {model.name} {model.version}" for stage, model in sorted(found.stages.items()))
        yield Finding("models", "ok", f"release {found.release}: {stages}")


def check_snapshot(read: Read, now: datetime) -> Iterator[Finding]:
    """Check the snapshot's age, and that the configured bookmaker has odds in it."""
    found = parse(read, "snapshot", SNAPSHOT_MANIFEST_KEY, SnapshotManifest, "Make one: `matchcast snapshot`.")
    if isinstance(found, Finding):
        yield found
        return
    age = now - found.created_at
    if age > STALE:
        yield Finding("snapshot", "warning", f"{found.snapshot_id} is {age.days} days old.", "`matchcast snapshot`")
    else:
        yield Finding("snapshot", "ok", f"{found.snapshot_id}, made {found.created_at:%Y-%m-%d %H:%M} UTC")
    odds = found.files.get("odds.parquet")
    if odds is None or not odds.rows:
        yield Finding(
            "odds",
            "warning",
            f"The snapshot has no odds of {found.bookmaker}: cards and odds are empty lists.",
            "Import files with its columns, or set OddsBookmaker to a bookmaker that the data has.",
        )
    else:
        yield Finding("odds", "ok", f"{odds.rows} matches with odds of {found.bookmaker}")


def parse(read: Read, check: str, key: str, manifest: type[Any], remedy: str) -> Any:
    """Return a manifest, or the finding that there is none that can be read."""
    try:
        body = read(key)
        if body is None:
            return Finding(check, "warning", f"Nothing is published under {key}.", remedy)
        return manifest.parse(body, key)
    except MatchcastError as error:
        return Finding(check, "error", error.detail, remedy)


def check_dead_letters(stack: Stack) -> Iterator[Finding]:
    """Check that no message waits in a dead letter queue."""
    sqs = stack.client("sqs")
    for lane in ("High", "Normal"):
        url = stack.output(f"{lane}DeadLetterQueueUrl")
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])[
            "Attributes"
        ]
        waiting = int(attributes["ApproximateNumberOfMessages"])
        if waiting:
            yield Finding(
                f"{lane.lower()} lane", "warning", f"{waiting} dead letters wait in {url}.", "Look at them first."
            )
        else:
            yield Finding(f"{lane.lower()} lane", "ok", "no dead letters")
