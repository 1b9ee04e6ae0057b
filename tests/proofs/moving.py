"""An alias that moves under requests in flight: when the new version answers, and whether anything is mixed."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from matchcast.adapters.model_loaders import load_any
from matchcast.domain.manifests import PublishedModel
from matchcast.domain.prediction import OUTCOMES, renormalise
from matchcast.releases.files import read_files
from matchcast_tools.dataset.store import read_features
from matchcast_tools.stack.api_client import Answer
from tests.proofs.bench import Bench

THREADS = 6
TOLERANCE = 1e-6

Expected = Mapping[str, tuple[float, float, float]]


@dataclass(frozen=True)
class Asked:
    """One request: when it was sent, and what it was answered."""

    at: float
    how: str
    match_id: str
    answer: Answer


@dataclass
class Traffic:
    """Requests that never stop, in every way of asking, and every answer to them."""

    work: Bench
    features: Mapping[str, dict[str, float]]
    asked: list[Asked] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def flowing(self) -> Iterator[None]:
        """Ask all the time while the block runs."""
        with ThreadPoolExecutor(THREADS) as threads:
            futures = [threads.submit(self._ask_on, number) for number in range(THREADS)]
            try:
                yield
            finally:
                self._stop.set()
            for future in futures:
                future.result()

    def _ask_on(self, number: int) -> None:
        api, rng = self.work.api, random.Random(number)
        matches = list(self.features)
        for how in itertools.cycle(("match", "features", "precomputed", "task")):
            if self._stop.is_set():
                return
            match_id, at = rng.choice(matches), time.time()
            if how == "match":
                answer = api.get(f"/predict/{match_id}")
            elif how == "features":
                answer = api.post("/predict/", {"features": self.features[match_id]})
            elif how == "precomputed":
                answer = api.get(f"/predict/precomputed/{match_id}")
            else:
                answer = api.post("/predict/async/", {"match_id": match_id})
            self.asked.append(Asked(at, how, match_id, answer))

    @property
    def failed(self) -> list[Asked]:
        """Return the requests that were not answered as they should be."""
        return [asked for asked in self.asked if asked.answer.status != (202 if asked.how == "task" else 200)]

    @property
    def tasks(self) -> list[str]:
        """Return the ids of the tasks that were accepted."""
        return [asked.answer.json["task_id"] for asked in self.asked if asked.answer.status == 202]

    def predictions(self) -> Iterator[tuple[Asked, dict[str, Any]]]:
        """Yield every prediction that was answered at once, with its request."""
        for asked in self.asked:
            if asked.answer.status == 200:
                yield asked, asked.answer.json


def features_of(work: Bench, match_ids: list[str], names: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """Return the features of matches, from the dataset."""
    table = read_features(work.data).select(["match_id", *names])
    wanted = set(match_ids)
    rows = (row for row in table.to_pylist() if row["match_id"] in wanted)
    return {row.pop("match_id"): row for row in rows}


def expected_of(work: Bench, published: PublishedModel, features: Mapping[str, dict[str, float]]) -> Expected:
    """Return what a published version makes of matches, loaded as the functions load it."""
    model = load_any(published, read_files(work.bucket, published.prefix, published.files))
    rows = np.array([[row[name] for name in published.signature.names] for row in features.values()], np.float32)
    return {
        match_id: renormalise(*values) for match_id, values in zip(features, model.predict(rows).tolist(), strict=True)
    }


def is_mixed(prediction: Mapping[str, Any], match_id: str, expected: Mapping[str, Expected]) -> bool:
    """Tell whether a prediction is not what the version that it names makes of the match."""
    own = expected.get(prediction["model"]["version"], {}).get(match_id)
    return own is None or any(
        abs(prediction[name] - value) > TOLERANCE for name, value in zip(OUTCOMES, own, strict=True)
    )


def mixed_receives(tasks: Mapping[str, dict[str, Any]]) -> int:
    """Return how many model calls of the queue have results of more than one version.

    The predictions of one call carry the same time and the same duration, to the last digit.
    """
    versions: dict[tuple[str, float], set[str]] = defaultdict(set)
    for task in tasks.values():
        if task["result"]:
            result = task["result"]
            versions[result["predicted_at"], result["duration_ms"]].add(result["model"]["version"])
    return sum(len(each) > 1 for each in versions.values())
