"""A function loads its modules and makes its clients while Lambda initialises it, not in the first request."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from matchcast.adapters.s3_objects import S3Objects
from matchcast.snapshots.contract import MATCH_FEATURES_FILE, MATCH_IDS_FILE
from matchcast.webhook_messages import NewEvent, encode_webhook_message
from tests.support.http_events import http_event
from tests.support.releases import MATCHES, artifact, put_models
from tests.support.snapshots import put_snapshot, snapshot_files
from tests.support.template import ROOT, deploy_storage, load
from tests.support.webhooks import an_event

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
MATCH = sorted(MATCHES)[0]
CLIENTS = {
    "serve_predictions": ["s3", "secretsmanager"],
    "predict_now": ["dynamodb", "lambda", "s3", "sqs"],
    "submit_prediction": ["dynamodb", "s3", "sqs"],
    "track_tasks": ["dynamodb", "s3", "secretsmanager", "sqs"],
    "manage_batches": ["dynamodb", "s3", "s3", "secretsmanager", "sqs"],
    "manage_webhooks": ["dynamodb", "kms", "sqs"],
    "deliver_webhooks": ["dynamodb", "kms", "sqs"],
    "sweep_dead_letters": ["dynamodb", "sqs", "sqs"],
}
A_CURSOR = {"cursor": "A" * 40}
EVENT_OF_THE_STREAM = json.loads((ROOT / "functions/deliver_webhooks/event.json").read_text())
# Its tenant has no secret, so nothing is sent.
AN_EVENT_TO_DELIVER = {
    "Records": [{"messageId": "m", "receiptHandle": "r", "body": encode_webhook_message(NewEvent(event=an_event()))}]
}
AS_A_TASK = {"Prefer": "respond-async"}
# With the hundreds of the status that each is answered with.
FIRST_REQUESTS: dict[str, list[tuple[dict[str, Any], int]]] = {
    "serve_predictions": [
        (http_event("GET", "/predict/cards/"), 2),
        (http_event("GET", "/predict/odds/", query=A_CURSOR), 4),
    ],
    "predict_now": [
        # There is no inference function here; what matters is that it was asked.
        (http_event("GET", f"/predict/{MATCH}"), 5),
        (http_event("GET", f"/predict/{MATCH}", headers=AS_A_TASK), 2),
    ],
    "submit_prediction": [(http_event("POST", "/predict/async/", body={"match_id": MATCH}), 2)],
    "track_tasks": [
        (http_event("GET", "/predict/async/"), 2),
        (http_event("GET", "/predict/async/", query=A_CURSOR), 4),
    ],
    "manage_batches": [
        (http_event("POST", "/predict/batch/uploads", body={"format": "csv"}), 2),
        (http_event("POST", "/predict/batch/", body={"match_ids": [MATCH]}), 2),
        (http_event("GET", "/predict/batch/"), 2),
        (http_event("GET", "/predict/batch/", query=A_CURSOR), 4),
    ],
    "manage_webhooks": [
        (http_event("POST", "/webhooks/secrets", body={}), 2),
        (http_event("GET", "/webhooks/endpoints"), 2),
        (http_event("POST", "/webhooks/replay", body={"since": "2026-03-01T12:00:00Z"}), 2),
    ],
    "deliver_webhooks": [(EVENT_OF_THE_STREAM, 2), (AN_EVENT_TO_DELIVER, 2), ({}, 2)],
    "sweep_dead_letters": [({}, 2)],
}
ENVIRONMENT = """
import importlib, json, sys, time
import botocore.session

class NoPandas:
    "The layers hold no pandas, which pyarrow looks for."
    def find_spec(self, name, path=None, target=None):
        if name == "pandas":
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, NoPandas())
clients = []
create = botocore.session.Session.create_client


def counted(self, name, *where, **how):
    clients.append(name)
    return create(self, name, *where, **how)

botocore.session.Session.create_client = counted
name, events = json.load(sys.stdin)
handler = importlib.import_module(f"functions.{name}.handler").lambda_handler
at_init = list(clients)
from tests.support.http_events import Context
loaded = set(sys.modules)
for event in events:
    event.get("requestContext", {})["timeEpoch"] = int(time.time() * 1000)
answers = [handler(event, Context()) for event in events]
print(json.dumps({
    "at_init": at_init,
    "later": clients[len(at_init):],
    "new": sorted({module.partition(".")[0] for module in set(sys.modules) - loaded}),
    "statuses": [answer.get("statusCode", 200) // 100 for answer in answers],
}))
"""


@pytest.fixture(scope="module")
def settings() -> Iterator[dict[str, str]]:
    """Return the environment of functions on a stack in moto, with a release."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (CREDENTIALS | {"AWS_ENDPOINT_URL": address}).items():
            patch.setenv(name, value)
        session = boto3.session.Session()
        names = deploy_storage(session)
        key = session.client("kms").create_key()
        bucket = S3Objects(session.client("s3"), names["DataBucketName"])
    put_models(bucket, {"champion": ("3", artifact("3"))})
    put_snapshot(bucket, {**snapshot_files(), MATCH_IDS_FILE: f"{MATCH}\n".encode(), MATCH_FEATURES_FILE: b"features"})
    yield {
        **CREDENTIALS,
        "AWS_ENDPOINT_URL": address,
        "DATA_BUCKET_NAME": names["DataBucketName"],
        "TASKS_TABLE_NAME": names["TasksTableName"],
        "CURSOR_SECRET_NAME": names["CursorSecretName"],
        "HIGH_QUEUE_URL": names["HighQueueUrl"],
        "NORMAL_QUEUE_URL": names["NormalQueueUrl"],
        "HIGH_DEAD_LETTER_QUEUE_URL": names["HighDeadLetterQueueUrl"],
        "NORMAL_DEAD_LETTER_QUEUE_URL": names["NormalDeadLetterQueueUrl"],
        "BATCHES_QUEUE_URL": names["BatchesQueueUrl"],
        "BATCHES_DEAD_LETTER_QUEUE_URL": names["BatchesDeadLetterQueueUrl"],
        "RUN_INFERENCE_FUNCTION_NAME": "matchcast-run_inference",
        "WEBHOOKS_TABLE_NAME": names["WebhooksTableName"],
        "WEBHOOKS_QUEUE_URL": names["WebhooksQueueUrl"],
        "WEBHOOKS_DEAD_LETTER_QUEUE_URL": names["WebhooksDeadLetterQueueUrl"],
        "WEBHOOK_SECRETS_KEY_ID": key["KeyMetadata"]["KeyId"],
    }
    server.stop()


@pytest.mark.parametrize("name", FIRST_REQUESTS)
def test_the_first_requests_load_no_library_and_make_no_client(name: str, settings: dict[str, str]) -> None:
    # GIVEN a new environment of the function, as Lambda starts one
    events = [event for event, _ in FIRST_REQUESTS[name]]
    environment = {
        **settings,
        "AWS_LAMBDA_FUNCTION_NAME": f"matchcast-{name}",
        "POWERTOOLS_SERVICE_NAME": name,
        "PYTHONPATH": ":".join(sys.path),
    }
    # WHEN it is initialised, and gets its first requests
    done = subprocess.run(
        [sys.executable, "-c", ENVIRONMENT],
        input=json.dumps([name, events]),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    # THEN all clients that it needs were there before the requests, and no others
    assert found["statuses"] == [status for _, status in FIRST_REQUESTS[name]]
    assert sorted(found["at_init"]) == sorted(CLIENTS[name])
    assert found["later"] == []
    # AND nothing is loaded but what numpy and the standard library load when they are first used
    assert set(found["new"]) - sys.stdlib_module_names <= {"numpy"}


def test_every_zip_function_gets_first_requests() -> None:
    functions = [item["Properties"] for item in load()["Resources"].values() if "CodeUri" in item.get("Properties", {})]
    folders = {properties["CodeUri"].strip("/").rpartition("/")[2] for properties in functions}
    assert folders == set(CLIENTS) == set(FIRST_REQUESTS)
