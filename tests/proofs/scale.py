"""`make prove-scale`: what a tenant's history and tens of thousands of dead letters cost, on the engine."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from heapq import nlargest
from typing import Annotated, Any

import typer

from matchcast.adapters.dynamodb_records import DynamoDBSpeeds
from matchcast.adapters.dynamodb_tasks import OPEN_INDEX, TENANT_INDEX, DynamoDBTasks
from matchcast.adapters.in_memory import InMemoryKeys, InMemoryLanes
from matchcast.domain.prediction import Subject
from matchcast.domain.task import Task, TaskStatus, utc_now
from matchcast.snapshots.features import MatchIds
from matchcast.tasks.accept import AcceptTask
from matchcast.tasks.lane_speed import LaneSpeed
from matchcast.tasks.open_tasks import OpenTasks, counted_one_in
from matchcast.tasks.submit import Submission, SubmitPrediction
from matchcast.tasks.track import TrackTasks
from tests.proofs.claims import Claims
from tests.proofs.engine import Meter, Storage, item_bytes, storage
from tests.proofs.sweeping import sweeping
from tests.support.releases import MATCHES, Release
from tests.support.tasks import a_prediction, a_task

LIMIT = 10_000
SUBMISSIONS = 50
Measured = dict[str, float]


def main(
    tasks: Annotated[int, typer.Option(min=20_000, help="How many old tasks a tenant has.")] = 100_000,
    letters: Annotated[int, typer.Option(min=100, help="How many dead letters are swept.")] = 10_000,
) -> None:
    """Show that a tenant's history does not make its requests dearer, and that one sweep sees all dead letters."""
    claims = Claims()
    claims.say("starting an engine with the template's table and dead-letter queues")
    with storage() as stored:
        claims.say(f"{letters} dead letters")
        sweeping(stored, claims, letters)
    with storage() as stored:
        counting(stored, claims, tasks)
        listing(stored, claims)
    claims.finish()


def counting(stored: Storage, claims: Claims, old: int) -> None:
    """Submissions of a tenant without a task, of one with many old ones, and of one near its limit, side by side."""
    table = DynamoDBTasks(stored.dynamodb, stored.table, stored.shards, counted_one_in=counted_one_in(LIMIT))
    claims.say(f"{old} old tasks of a tenant, and {LIMIT - 500} open ones of another")
    put(stored, history(table, "old", old, TaskStatus.SUCCEEDED))
    put(stored, history(table, "full", LIMIT - 500, TaskStatus.QUEUED))
    meter = Meter(stored.dynamodb, entry_bytes(table))
    measured: dict[str, Measured] = {}
    for tenant in ("new", "old", "full"):
        with meter.measure(SUBMISSIONS) as measured[tenant]:
            for _ in range(SUBMISSIONS):
                submission(table, stored).submit(tenant, Submission(Subject(next(iter(MATCHES)))))
    with meter.measure() as before:
        newest_ids(stored, "old", LIMIT)
    claims.say(f"{'one submission, counted afresh':36} {'calls':>8} {'entries':>8} {'read units':>11} {'CPU ms':>8}")
    for name, each in (
        ("a tenant without tasks", measured["new"]),
        (f"a tenant with {old} old tasks", measured["old"]),
        (f"a tenant with {LIMIT - 500} open tasks", measured["full"]),
        (f"reading the newest {LIMIT} ids instead", before),
    ):
        claims.say(
            f"{name:36} {each['calls']:8} {each['entries']:8} {each['read_units']:11} {each['cpu_ms']:8}",
        )
    new, aged, full = (measured[tenant] for tenant in ("new", "old", "full"))
    claims.hold(
        "a tenant's history changes nothing of what a submission reads",
        holds=aged["read_units"] == new["read_units"] and aged["entries"] <= new["entries"] + 3,
        submission_read_units_new=new["read_units"],
        submission_read_units_old=aged["read_units"],
        submission_cpu_ms_new=new["cpu_ms"],
        submission_cpu_ms_old=aged["cpu_ms"],
    )
    claims.hold(
        "near the limit it reads a few units more",
        holds=full["read_units"] <= 10,
        submission_read_units_full=full["read_units"],
        submission_cpu_ms_full=full["cpu_ms"],
        newest_ids_read_units=before["read_units"],
        newest_ids_cpu_ms=before["cpu_ms"],
    )


def listing(stored: Storage, claims: Claims) -> None:
    """Pages of a tenant's list, with filters that few or no tasks fit."""
    table = DynamoDBTasks(stored.dynamodb, stored.table, stored.shards)
    track = TrackTasks(table, table, utc_now)
    meter = Meter(stored.dynamodb, entry_bytes(table))
    for name, filters, most in (
        ("a page of 100", {"limit": 100}, 200),
        ("a page of a status that no task has", {"status": TaskStatus.FAILED}, 600),
        ("a page of a match that no task is of", {"match_id": "e0-2026-03-07-elm-oak"}, 400),
    ):
        with meter.measure() as measured:
            page = track.list("old", **filters)
        claims.hold(
            f"{name}: {len(page.tasks)} tasks, and {'a' if page.next_before else 'no'} cursor",
            holds=page.next_before is not None and measured["read_units"] <= most,
            **{f"{name.replace(' ', '_')}_{figure}": value for figure, value in measured.items()},
        )


def submission(table: DynamoDBTasks, stored: Storage) -> SubmitPrediction:
    """Return submissions as a function's environment begins: it has counted no tenant yet."""
    release = Release()
    speed = LaneSpeed(DynamoDBSpeeds(stored.dynamodb, stored.table))
    return SubmitPrediction(
        accept=AcceptTask(tasks=table, lanes=InMemoryLanes(), keys=InMemoryKeys(), now=utc_now),
        models=release.models,
        matches=MatchIds(release.snapshots, release.objects),
        open_tasks=OpenTasks(index=table, speed=speed, limit=LIMIT, now=utc_now),
        lifetime=timedelta(days=1),
    )


def newest_ids(stored: Storage, tenant: str, limit: int) -> list[str]:
    """Return a tenant's newest ids, up to `limit` of each shard: what a count by the tenant index has to read."""
    newest: list[str] = []
    for shard in range(stored.shards):
        query: dict[str, Any] = {
            "TableName": stored.table,
            "IndexName": TENANT_INDEX,
            "KeyConditionExpression": "tenant_shard = :shard",
            "ExpressionAttributeValues": {":shard": {"S": f"{tenant}#{shard}"}},
            "ProjectionExpression": "task_id",
            "ScanIndexForward": False,
            "Limit": limit,
        }
        ids: list[str] = []
        while len(ids) < limit:
            page = stored.dynamodb.query(**query)
            ids += [item["task_id"]["S"] for item in page["Items"]]
            if "LastEvaluatedKey" not in page:
                break
            query["ExclusiveStartKey"] = page["LastEvaluatedKey"]
        newest += ids
    return nlargest(limit, newest)


def history(table: DynamoDBTasks, tenant: str, count: int, status: TaskStatus) -> Iterator[dict[str, Any]]:
    """Yield items of tasks of the last hours, the open ones sampled as a submission samples them."""
    now, result = utc_now(), a_prediction() if status is TaskStatus.SUCCEEDED else None
    for number in range(count):
        created_at: datetime = now - timedelta(seconds=20 * 3600 * (count - number) / count)
        task = a_task(tenant=tenant, status=status, result=result, created_at=created_at)
        sampled = status is TaskStatus.QUEUED and random.randrange(counted_one_in(LIMIT)) == 0
        yield table._item(task) | (table._sampled(task) if sampled else {})


def put(stored: Storage, items: Iterator[dict[str, Any]]) -> None:
    """Put items, 25 at a time."""

    def write(some: Sequence[dict[str, Any]]) -> None:
        requests = [{"PutRequest": {"Item": item}} for item in some]
        while requests:
            answer = stored.dynamodb.batch_write_item(RequestItems={stored.table: requests})
            requests = answer.get("UnprocessedItems", {}).get(stored.table, [])

    everything = list(items)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, (everything[at : at + 25] for at in range(0, len(everything), 25))))


def entry_bytes(table: DynamoDBTasks) -> dict[str, int]:
    """Return the size of one entry of each index, for a task of this product."""
    task: Task = a_task()
    item = table._item(task) | table._sampled(task)
    keys = {"pk", "sk"}
    held = {
        TENANT_INDEX: keys | {"tenant_shard", "task_id", "match_id", "created_at"},
        OPEN_INDEX: keys | {"open_sample", "open_until"},
    }
    return {index: item_bytes({name: item[name] for name in names}) for index, names in held.items()}


if __name__ == "__main__":
    typer.run(main)
