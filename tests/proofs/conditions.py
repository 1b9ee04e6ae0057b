"""Conditions under which functions do what they seldom do, made on a laptop stack by the hand of an operator."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from matchcast.domain.manifests import MODEL_MANIFEST_KEY, ModelManifest
from matchcast_tools.stack.deployed import Stack
from tests.support.laptop import queue_depth

QUEUES = {"high": "HighQueueUrl", "normal": "NormalQueueUrl"}
"""The lanes."""
EVERY_QUEUE = {**QUEUES, "batches": "BatchesQueueUrl", "webhooks": "WebhooksQueueUrl"}
DEAD_LETTERS = {
    "high": "HighDeadLetterQueueUrl",
    "normal": "NormalDeadLetterQueueUrl",
    "batches": "BatchesDeadLetterQueueUrl",
    "webhooks": "WebhooksDeadLetterQueueUrl",
}
CHAMPION = "champion"


class Conditions:
    """A laptop stack whose queues, lanes and model can be made to misbehave for a while."""

    def __init__(self, stack: Stack) -> None:
        self._stack, self._bucket = stack, stack.output("DataBucketName")
        self._sqs, self._s3, self._lambda = stack.client("sqs"), stack.client("s3"), stack.client("lambda")
        mappings = self._lambda.list_event_source_mappings()["EventSourceMappings"]
        self._mappings = {item["EventSourceArn"].rpartition("-")[2]: item["UUID"] for item in mappings}
        self._keep_a_release()

    @contextmanager
    def resting(self, *queues: str) -> Iterator[Callable[[str], None]]:
        """Let no worker receive from some queues, by default the lanes.

        The yielded function wakes up one, and in the end all are awake.
        """
        resting = queues or tuple(QUEUES)
        for queue in resting:
            self._switch(queue, enabled=False)
        time.sleep(0.5)  # a receive that was under way ends
        try:
            yield lambda queue: self._switch(queue, enabled=True)
        finally:
            for queue in resting:
                self._switch(queue, enabled=True)

    @contextmanager
    def unreadable_manifest(self) -> Iterator[None]:
        """Replace the model manifest by what is none: functions fall back on the release before."""
        with self._replaced(MODEL_MANIFEST_KEY, b"{}"):
            yield

    @contextmanager
    def unloadable_model(self) -> Iterator[None]:
        """Replace the artifact of the champion: no worker that starts now can predict, and all try again later."""
        body = self._read(MODEL_MANIFEST_KEY)
        published = ModelManifest.parse(body, MODEL_MANIFEST_KEY).stages[CHAMPION]
        with self._replaced(f"{published.prefix}model.onnx", b"none"):
            yield

    @contextmanager
    def setting(self, function: str, name: str, value: str) -> Iterator[None]:
        """Give a setting of a function, which an output names, another value."""
        called = self._stack.output(function)
        before = self._lambda.get_function_configuration(FunctionName=called)["Environment"]["Variables"][name]
        self._set(called, name, value)
        try:
            yield
        finally:
            self._set(called, name, before)

    def poison(self, *queues: str) -> None:
        """Send a message that nobody can read to some queues, by default the lanes."""
        for name in queues or QUEUES:
            self.send(name, "poison")

    def send(self, queue: str, body: str) -> None:
        """Send a message."""
        self._sqs.send_message(QueueUrl=self._stack.output(EVERY_QUEUE[queue]), MessageBody=body)

    def dead_letter(self, name: str) -> None:
        """Move what waits in a queue to its dead letters, as SQS does after the last delivery."""
        queue, letters = self._stack.output(EVERY_QUEUE[name]), self._stack.output(DEAD_LETTERS[name])
        for message in self._sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            self._sqs.send_message(QueueUrl=letters, MessageBody=message["Body"])
            self._sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])

    def waiting(self, queue: str) -> int:
        """Return how many messages a queue has, those under way included."""
        return queue_depth(self._stack, EVERY_QUEUE[queue], hidden=True)

    def dead_letters(self, queue: str) -> int:
        """Return how many dead letters a queue has."""
        return queue_depth(self._stack, DEAD_LETTERS[queue], hidden=True)

    def purge(self) -> None:
        """Remove all messages and dead letters."""
        for output in (*EVERY_QUEUE.values(), *DEAD_LETTERS.values()):
            self._sqs.purge_queue(QueueUrl=self._stack.output(output))

    def _keep_a_release(self) -> None:
        """Give the stack a release before the present one, as a second publication does."""
        body = self._read(MODEL_MANIFEST_KEY)
        kept = ModelManifest.parse(body, MODEL_MANIFEST_KEY).kept_key
        self._s3.put_object(Bucket=self._bucket, Key=kept, Body=body)

    def _set(self, function: str, name: str, value: str) -> None:
        variables = self._lambda.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
        self._lambda.update_function_configuration(
            FunctionName=function, Environment={"Variables": {**variables, name: value}}
        )

    @contextmanager
    def _replaced(self, key: str, body: bytes) -> Iterator[None]:
        good = self._read(key)
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=body)
        try:
            yield
        finally:
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=good)

    def _read(self, key: str) -> bytes:
        return bytes(self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read())

    def _switch(self, queue: str, *, enabled: bool) -> None:
        self._lambda.update_event_source_mapping(UUID=self._mappings[queue], Enabled=enabled)
