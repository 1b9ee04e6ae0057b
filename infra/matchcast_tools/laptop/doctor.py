"""Check the environment, the stack and what it serves; each finding says what to do."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

from matchcast.domain.manifests import (
    DATASET_MANIFEST_KEY,
    MODEL_MANIFEST_KEY,
    SNAPSHOT_MANIFEST_KEY,
    DatasetManifest,
    ModelManifest,
    PublishedModel,
    SnapshotManifest,
)
from matchcast.errors import MatchcastError
from matchcast.snapshots.contract import SHOWN_ODDS_FILE
from matchcast.snapshots.dataset import MATCHES_FILE
from matchcast.tasks.circuit_breaker import stage_cause
from matchcast_tools.checkout import local_folder
from matchcast_tools.errors import EnvironmentProblem
from matchcast_tools.laptop.machine import (
    OTHER_FOLDER,
    RESTART,
    Finding,
    check_checkout,
    check_engine,
    check_leftovers,
    check_port,
    check_python,
    check_state,
)
from matchcast_tools.laptop.state import Folder, engine_is_running
from matchcast_tools.stack.deployed import STACK_NAME_VARIABLE, Stack
from matchcast_tools.stack.find_stack import find_stack

STALE = timedelta(days=1)

Read = Callable[[str], bytes | None]
"""Returns the body of an object, or None."""


def examine() -> list[Finding]:
    """Run every check; those of a stack only if there is one."""
    folder = Folder(local_folder())
    findings = [check_python(), check_checkout(), check_port(), check_state(folder), check_leftovers(folder)]
    try:
        stack = find_stack()
    except EnvironmentProblem as problem:
        # Nobody needs a laptop stack; a stack that somebody names has to be there, and so has one that runs.
        wanted = bool(os.environ.get(STACK_NAME_VARIABLE)) or engine_is_running(folder)
        return [*findings, Finding("stack", "error" if wanted else "warning", problem.detail)]
    except OSError as error:
        return [
            *findings,
            Finding("stack", "error", f"{error.filename} cannot be read ({error.strerror}).", OTHER_FOLDER),
        ]
    if stack.host_header:
        findings.append(engine := check_engine(stack.api_url))
        if engine.state == "error":
            # All other checks would wait for it in vain.
            return findings
    return [*findings, *check_api(stack), *check_bucket(stack), *check_stages(stack), *check_dead_letters(stack)]


def check_api(stack: Stack) -> Iterator[Finding]:
    """Check that the API answers, that it is healthy, and that its data goes on."""
    from matchcast_tools.stack.api_client import ApiClient

    try:
        answer = ApiClient(stack.api_url, stack.host_header).get("/health")
    except EnvironmentProblem as problem:
        yield Finding("api", "error", problem.detail, RESTART if stack.host_header else "Deploy the stack again.")
        return
    if answer.status != 200:
        remedy = health_remedy(answer.status, on_laptop=stack.host_header is not None)
        body = answer.body.decode(errors="replace")
        yield Finding("api", "error", f"/health answers {answer.status}: {body[:300]}", remedy)
        return
    yield Finding("api", "ok", f"{stack.api_url} answers /health with 200")
    if answer.json.get("results_stale"):
        detail = f"The newest result is of {answer.json['newest_result']}: the data ends there."
        yield Finding("results", "warning", detail, "Import newer match files, then `matchcast features`, `snapshot`.")


def health_remedy(status: int, *, on_laptop: bool) -> str:
    """Return what to do about an answer of /health: 503 says that nothing is published, all else is a fault."""
    if status == 503:
        return "Publish a model and make a snapshot: `matchcast publish`, `matchcast snapshot`."
    if on_laptop:
        log = Folder(local_folder()).log
        return f"The function failed: the end of {log} says why. Check the free space of the disk, then start again."
    return "The function failed: the log of serve_predictions says why."


def check_bucket(stack: Stack) -> Iterator[Finding]:
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

    yield from check_manifests(read, datetime.now(UTC))


def check_manifests(read: Read, now: datetime) -> Iterator[Finding]:
    """Check the three manifests, each if it is published and can be read."""
    for check, key, describe, remedy in (
        ("dataset", DATASET_MANIFEST_KEY, describe_dataset, "Upload one: `matchcast import`, `features`, `snapshot`."),
        ("models", MODEL_MANIFEST_KEY, describe_models, "Publish one: `matchcast train`, `matchcast publish`."),
        ("snapshot", SNAPSHOT_MANIFEST_KEY, partial(describe_snapshot, now=now), "Make one: `matchcast snapshot`."),
    ):
        try:
            body = read(key)
            if body is None:
                yield Finding(check, "warning", f"Nothing is published under {key}.", remedy)
            else:
                yield from describe(body)
        except MatchcastError as error:
            yield Finding(check, "error", error.detail, remedy)


def describe_dataset(body: bytes) -> Iterator[Finding]:
    """Yield which dataset is published."""
    manifest = DatasetManifest.parse(body, DATASET_MANIFEST_KEY)
    rows = manifest.files[MATCHES_FILE].rows if MATCHES_FILE in manifest.files else None
    detail = f"{manifest.dataset_id}: {rows} matches, information up to {manifest.as_of:%Y-%m-%d}"
    yield Finding("dataset", "ok", detail)


def describe_models(body: bytes) -> Iterator[Finding]:
    """Yield which models are published."""
    manifest = ModelManifest.parse(body, MODEL_MANIFEST_KEY)
    stages = ", ".join(f"{stage} = {model.name} {model.version}" for stage, model in sorted(manifest.stages.items()))
    yield Finding("models", "ok", f"release {manifest.release}: {stages}")


def describe_snapshot(body: bytes, now: datetime) -> Iterator[Finding]:
    """Yield the snapshot's age, and whether it has odds of the configured bookmaker."""
    manifest = SnapshotManifest.parse(body, SNAPSHOT_MANIFEST_KEY)
    age = now - manifest.created_at
    if age > STALE:
        yield Finding("snapshot", "warning", f"{manifest.snapshot_id} is {age.days} days old.", "`matchcast snapshot`")
    else:
        yield Finding("snapshot", "ok", f"{manifest.snapshot_id}, made {manifest.created_at:%Y-%m-%d %H:%M} UTC")
    odds = manifest.files.get(SHOWN_ODDS_FILE)
    if odds is None or not odds.rows:
        detail = f"The snapshot has no odds of {manifest.bookmaker}: cards and odds are empty lists."
        remedy = "Import files with its columns, or set OddsBookmaker to a bookmaker that the data has."
        yield Finding("odds", "warning", detail, remedy)
    else:
        yield Finding("odds", "ok", f"{odds.rows} matches with odds of {manifest.bookmaker}")


def check_stages(stack: Stack) -> Iterator[Finding]:
    """Check that each stage fits the snapshot, and that no worker has found it or the table broken."""
    from matchcast.adapters.dynamodb_records import DynamoDBCircuits
    from matchcast_tools.models.fit import snapshot_columns
    from matchcast_tools.stack.bucket import open_bucket

    circuits = DynamoDBCircuits(stack.client("dynamodb"), stack.output("TasksTableName"))
    try:
        objects = open_bucket(stack)
        stored = objects.get(MODEL_MANIFEST_KEY)
        if stored is not None:
            stages = ModelManifest.parse(stored.body, MODEL_MANIFEST_KEY).stages
            yield from describe_stages(stages, snapshot_columns(objects), circuits.read)
    except MatchcastError as error:
        yield Finding("stages", "error", error.detail)


def describe_stages(
    stages: Mapping[str, PublishedModel],
    columns: Collection[str] | None,
    opened: Callable[[str], tuple[str, str, datetime] | None],
) -> Iterator[Finding]:
    """Yield one finding for each stage; `opened` returns why the workers leave a cause alone, and since when."""
    from matchcast_tools.models.fit import check_fit

    for stage, model in sorted(stages.items()):
        remedy = f"Publish another version under it: `matchcast publish --stage {stage}`, or go back: "
        remedy += f"`matchcast rollback --stage {stage}`."
        try:
            check_fit(stage, model, columns)
        except MatchcastError as error:
            yield Finding(f"stage {stage}", "warning", error.detail.partition(". ")[0] + ".", remedy)
            continue
        circuit = opened(stage_cause(stage))
        if circuit is None:
            yield Finding(
                f"stage {stage}", "ok", f"{model.name} {model.version} fits the snapshot; its circuit is closed"
            )
        else:
            code, detail, at = circuit
            detail = f"A worker opened its circuit at {at:%Y-%m-%d %H:%M:%S} UTC: {code}, {detail}"
            yield Finding(f"stage {stage}", "warning", detail, remedy)


def check_dead_letters(stack: Stack) -> Iterator[Finding]:
    """Check that no message waits in a dead-letter queue."""
    from botocore.exceptions import BotoCoreError, ClientError

    from matchcast_tools.stack.dead_letters import Queue, count_letters

    for queue in Queue:
        check = "batches" if queue is Queue.BATCHES else f"{queue} lane"
        url = stack.output(f"{queue.title()}DeadLetterQueueUrl")
        try:
            count = count_letters(stack, queue)
        except (BotoCoreError, ClientError) as error:
            yield Finding(check, "error", f"{url} cannot be looked at: {error}.", "Check credentials and stack.")
            continue
        if count.visible or count.hidden:
            detail = f"{count.visible} dead letters wait in {url}; another reader hides {count.hidden}."
            yield Finding(check, "warning", detail, "Look at them first: `matchcast dlq list`.")
        else:
            yield Finding(check, "ok", "no dead letters")
