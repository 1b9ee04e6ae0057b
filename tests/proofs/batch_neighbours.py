"""Tasks beside batches: how long they wait, and whose each message on a queue is."""

from __future__ import annotations

import json
import statistics
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

from matchcast.adapters.message_groups import message_group
from matchcast_tools.laptop.http_api import API_ID
from matchcast_tools.stack.api_client import ApiClient
from matchcast_tools.stack.batches import BatchClient
from matchcast_tools.stack.tokens import fetch_token
from tests.proofs.batch_runs import watched
from tests.proofs.bench import Bench
from tests.proofs.claims import Claims
from tests.support.laptop import Lanes, queue_depth

IDS = 10_000
LEAST_TASKS = 20
SAMPLE = 200
PAUSE_SECONDS = 0.2
LANES = ("high", "normal")


def tasks_beside_a_batch(work: Bench, claims: Claims) -> None:
    """A batch of 10,000 match ids from end to end, while tasks of both lanes are submitted and answered."""
    quiet = waits(work, tasks_until(work, lambda submitted: submitted >= 2 * LEAST_TASKS))
    client = BatchClient(work.api)
    matches = work.matches
    asked = [matches[number % len(matches)] for number in range(IDS)]
    began = time.monotonic()
    batch = client.submit(match_ids=asked)
    ended: list[float] = []

    def over(submitted: int) -> bool:
        if not ended and client.status(batch["batch_id"])["status"] in {"succeeded", "failed"}:
            ended.append(time.monotonic() - began)
        return bool(ended) and submitted >= 2 * LEAST_TASKS

    beside = waits(work, tasks_until(work, over))
    counts = watched(client, batch["batch_id"])["counts"]
    claims.hold(
        f"{IDS} match ids are predicted while tasks of both lanes are answered within seconds",
        holds=counts["succeeded"] == IDS == counts["total"]
        and all(len(beside[lane]) >= LEAST_TASKS and max(beside[lane]) < 30 for lane in LANES),
        match_ids=counts["succeeded"],
        match_ids_seconds=round(ended[0], 2),
        **described("alone", quiet),
        **described("beside_match_ids", beside),
    )


def tasks_until(work: Bench, over: Callable[[int], bool]) -> list[str]:
    """Submit tasks of both lanes in turn, a few a second, until it is over; return their ids."""
    ids, matches = list[str](), work.matches
    while not over(len(ids)):
        match, lane = matches[len(ids) % len(matches)], LANES[len(ids) % 2]
        body = {"match_id": match, "priority": lane}
        ids.append(str(work.api.post("/predict/async/", body).expect(202)["task_id"]))
        time.sleep(PAUSE_SECONDS)
    return ids


def waits(work: Bench, ids: list[str]) -> dict[str, list[float]]:
    """Return from acceptance to end, in seconds, of tasks that succeeded, by lane."""
    found: dict[str, list[float]] = {lane: [] for lane in LANES}
    for task in work.wait_for(ids, seconds=120).values():
        if task["status"] == "succeeded":
            began, ended = (datetime.fromisoformat(task[name]) for name in ("created_at", "completed_at"))
            found[task["priority"]].append((ended - began).total_seconds())
    return found


def described(when: str, found: dict[str, list[float]]) -> dict[str, float]:
    """Return the median and the longest wait of each lane as figures."""
    figures: dict[str, float] = {}
    for lane, seconds in found.items():
        figures[f"{lane}_wait_{when}"] = round(statistics.median(seconds or [0.0]), 2)
        figures[f"{lane}_longest_wait_{when}"] = round(max(seconds, default=0.0), 2)
    return figures


def every_message_has_its_tenant(work: Bench, claims: Claims, flood: int) -> None:
    """One tenant fills the normal lane with tasks and a batch, another one sends a few: each message says whose it is.

    By these groups SQS lets the quiet tenant go first; the engine of the laptop has queues without that.
    """
    loud, quiet = (another_tenant(work, name) for name in ("loud", "quiet"))
    claims.say(f"{flood} tasks and a batch of one tenant, 20 tasks of another, while no worker receives parts or tasks")
    lanes = Lanes(work.stack)
    lanes.rest()
    time.sleep(0.5)
    try:
        body = {"match_id": work.matches[0], "priority": "normal"}

        def send(api: ApiClient) -> int:
            return api.post("/predict/async/", body).status

        client = BatchClient(loud)
        batch = client.submit(match_ids=work.matches[:10])
        give_up = time.monotonic() + 60
        while client.status(batch["batch_id"])["status"] != "running" and time.monotonic() < give_up:
            time.sleep(0.2)
        statuses = Counter(work.at_once(send, [loud] * (flood // 2) + [quiet] * 20 + [loud] * (flood - flood // 2)))
        waiting = queue_depth(work.stack, "NormalQueueUrl")
        groups = look_at(work, "NormalQueueUrl", min(SAMPLE, waiting))
    finally:
        work.stack.client("sqs").purge_queue(QueueUrl=work.stack.output("NormalQueueUrl"))
        lanes.wake()
    wrong = sum(count for (tenant, group, _), count in groups.items() if group != message_group(tenant))
    kinds = Counter[str]()
    for (_, _, kind), count in groups.items():
        kinds[kind] += count
    claims.hold(
        "every message on the lane, of tasks and of parts, is in the group of its tenant",
        holds=statuses == {202: flood + 20} and not wrong and kinds["task"] > 0 and kinds["part"] > 0,
        tenant_tasks_queued=flood,
        messages_looked_at=sum(groups.values()),
        messages_of_parts=kinds["part"],
        messages_in_another_group=wrong,
    )


def look_at(work: Bench, queue: str, number: int) -> Counter[tuple[str, str, str]]:
    """Receive some messages of a queue; return how many are of which tenant, group and kind."""
    found: Counter[tuple[str, str, str]] = Counter()
    sqs, url = work.stack.client("sqs"), work.stack.output(queue)
    while sum(found.values()) < number:
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"])
        messages: list[dict[str, Any]] = answer.get("Messages", [])
        if not messages:
            break
        for message in messages:
            body = json.loads(message["Body"])
            kind = "part" if body.get("kind") == "part" else "task"
            found[body["tenant"], message["Attributes"].get("MessageGroupId", ""), kind] += 1
    return found


def another_tenant(work: Bench, name: str) -> ApiClient:
    """Return a client of another tenant, whose tokens the API takes as if it had been deployed with it."""
    stack = work.stack
    made = stack.client("cognito-idp").create_user_pool_client(
        UserPoolId=stack.output("UserPoolId"),
        ClientName=name,
        GenerateSecret=True,
        AllowedOAuthFlowsUserPoolClient=True,
        AllowedOAuthFlows=["client_credentials"],
        AllowedOAuthScopes=["predictions/read", "predictions/write"],
    )
    client_id = made["UserPoolClient"]["ClientId"]
    gateway = stack.client("apigatewayv2")
    (authorizer,) = gateway.get_authorizers(ApiId=API_ID)["Items"]
    taken = authorizer["JwtConfiguration"]
    taken["Audience"] = [*taken["Audience"], client_id]
    gateway.update_authorizer(ApiId=API_ID, AuthorizerId=authorizer["AuthorizerId"], JwtConfiguration=taken)
    return ApiClient(stack.api_url, stack.host_header, fetch_token(stack, client_id=client_id))
