"""The parts of one schedule: the simulated services, the functions, and what is drawn for all of them."""

from __future__ import annotations

import json
import random
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from tests.faults.batches import Batches
from tests.faults.bucket import REFRESH_SECONDS, Bucket
from tests.faults.callbacks import Callbacks
from tests.faults.calls import Calls
from tests.faults.dynamodb import TABLE, WEBHOOKS_TABLE, Table, Tables
from tests.faults.expressions import Item
from tests.faults.invocations import Invocations
from tests.faults.keys import KEY, Keys
from tests.faults.ledger import MAX_ATTEMPTS
from tests.faults.models import Models
from tests.faults.plots import draw_plot
from tests.faults.poison import Poison
from tests.faults.queues import WEBHOOKS, url
from tests.faults.receivers import Receivers
from tests.faults.s3 import S3
from tests.faults.scheduler import Scheduler
from tests.faults.sqs import Queues
from tests.faults.stream import Stream
from tests.faults.wire import Wire
from tests.faults.witness import Witness
from tests.support.tasks import NOW


class World:
    """Everything that the actors of one schedule share."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.scheduler = Scheduler(rng)
        self.plot = draw_plot(rng)
        self.calls = Calls(self.scheduler, rng, self.plot.weather(rng))
        is_calm = self.calls.weather.is_calm
        self.is_losing = (not is_calm or self.plot.is_calm) and rng.random() < self.plot.losing
        self.is_calm = is_calm and not (self.is_losing or self.plot.workers_begin[1] + self.plot.high_workers_begin[1])
        self.is_ageing = False
        self.folder = ""
        """Where the processes have their temporary files."""
        """Whether letters may pass away."""
        self.lifetime = timedelta(seconds=self.plot.lifetime)
        self.table = Table(self.scheduler, rng, self.calls)
        self.webhooks = Table(self.scheduler, rng, self.calls, "WebhooksTable")
        self.keys = Keys(self.scheduler)
        most, of_batches = rng.choice(self.plot.most_receives), rng.choice((2, 20, 20, 20))
        self.queues = Queues(self.scheduler, rng, self.calls, most, of_batches)
        s3 = S3(self.scheduler)
        self.bucket = Bucket(self.scheduler, rng, self.calls, s3)
        self.models = Models(self.calls)
        self.invocations = Invocations(self.scheduler, rng)
        self.witness = Witness(self)
        self.poison = Poison(self)
        self.batches = Batches(self)
        self.callbacks = Callbacks(self)
        self.receivers = Receivers(self)
        self.receivers.on_post = self.callbacks.posted
        self.stream = Stream(self)
        self.bucket.are_pinned = self.batches.is_on
        self.bucket.findings = self.witness.findings
        s3.least_piece = 1000
        self.s3 = s3
        s3.on_write = self._object_written
        self.table.on_write = self._subject_written
        self.webhooks.on_write = self.callbacks.written
        self.queues.on_letter = self.batches.letter
        invoke = self.invocations.invoke
        tables = Tables(**{TABLE: self.table, WEBHOOKS_TABLE: self.webhooks})
        made = Wire(
            self.scheduler, rng, self.calls, tables=tables, queues=self.queues, s3=s3, keys=self.keys, invoke=invoke
        )
        made.on_object = self.bucket.delivered
        self.environ = {
            "DATA_BUCKET_NAME": "data",
            "MODEL_REFRESH_SECONDS": str(REFRESH_SECONDS),
            "TASKS_TABLE_NAME": TABLE,
            "TENANT_SHARDS": str(rng.choice((1, 1, 2))),
            "HIGH_QUEUE_URL": url("high"),
            "NORMAL_QUEUE_URL": url("normal"),
            "HIGH_DEAD_LETTER_QUEUE_URL": url("high-dead"),
            "NORMAL_DEAD_LETTER_QUEUE_URL": url("normal-dead"),
            "TASK_LIFETIME_SECONDS": str(int(self.lifetime.total_seconds())),
            "MAX_OPEN_TASKS": str(self.plot.most_open),
            "MAX_ATTEMPTS": str(MAX_ATTEMPTS),
            "RUN_INFERENCE_FUNCTION_NAME": "run_inference",
            "PREDICTION_CACHE_TTL": rng.choice(("0", "3600", "3600")),
            "CURSOR_SECRET_NAME": "cursors",
            "BATCHES_QUEUE_URL": url("batches"),
            "BATCHES_DEAD_LETTER_QUEUE_URL": url("batches-dead"),
            "BATCH_WINDOW": str(rng.choice(self.plot.windows)),
            "MAX_OPEN_BATCHES": str(rng.choice((2, 100))),
            "WEBHOOKS_TABLE_NAME": WEBHOOKS_TABLE,
            "WEBHOOKS_QUEUE_URL": url(WEBHOOKS),
            "WEBHOOKS_DEAD_LETTER_QUEUE_URL": url(f"{WEBHOOKS}-dead"),
            "WEBHOOK_SECRETS_KEY_ID": KEY,
        }

    def _subject_written(self, before: Item | None, after: Item | None) -> None:
        self.batches.written(before, after)
        self.callbacks.subject_written(before, after)

    def _object_written(self, key: str) -> None:
        self.bucket.written(key)
        self.batches.object_written(key)

    @property
    def trouble_at(self) -> datetime:
        """Return when something last went wrong anywhere."""
        return NOW + timedelta(seconds=max(self.calls.trouble_at, -1e6))

    @property
    def switched_at(self) -> datetime | None:
        """Return since when the second release can be read."""
        at = self.bucket.served_since
        return None if at is None else NOW + timedelta(seconds=at)

    def is_quiet(self, since: datetime) -> bool:
        """Return whether nothing has gone wrong for some time before a moment, and since."""
        return self.trouble_at < since - timedelta(seconds=60)

    def was_slow(self, since: datetime) -> bool:
        """Return whether a call took long after a moment."""
        return NOW + timedelta(seconds=max(self.calls.stalled_until, -1e6)) > since

    def was_denied(self, since: datetime) -> bool:
        """Return whether the bucket denied access some time before a moment, or since: readers remember that."""
        return NOW + timedelta(seconds=max(self.calls.denied_at, -1e6)) > since - timedelta(seconds=60)

    @staticmethod
    def parsed(text: str) -> Any:
        """Return a JSON document of a record."""
        return _parsed(text)


@lru_cache(10_000)
def _parsed(text: str) -> Any:
    return json.loads(text)
