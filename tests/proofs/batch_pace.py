"""A batch beside what a user of MLflow would write, and beside single requests."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

import numpy as np
import pandas as pd

from matchcast.domain.prediction import OUTCOMES
from matchcast_tools.models.registry import load
from tests.proofs.batch_input import BatchInput
from tests.proofs.batch_runs import Finished
from tests.proofs.bench import Bench

LOOP_SECONDS = 20.0
CHUNK = 10_000
LEAST_ON_DEMAND = 2_000
THREADS = 16


@dataclass(frozen=True)
class Pace:
    """Rows a second of a loop that calls `predict` row by row, and of one that does for 10,000 rows at once."""

    row_by_row: float
    vectorised: float


def pyfunc_pace(work: Bench, source: BatchInput) -> Pace:
    """Predict rows of the file with the registered model itself, as long as it takes to know its pace."""
    model = load("champion", work.tracking).pyfunc
    frame = pd.DataFrame(source.values[source.good[:CHUNK]].astype(np.float32), columns=list(source.names))
    model.predict(frame.iloc[[0]])
    began, done = time.monotonic(), 0
    while time.monotonic() - began < LOOP_SECONDS and done < len(frame):
        model.predict(frame.iloc[[done]])
        done += 1
    row_by_row = done / (time.monotonic() - began)
    began, done = time.monotonic(), 0
    while time.monotonic() - began < LOOP_SECONDS / 4:
        model.predict(frame)
        done += len(frame)
    return Pace(row_by_row, done / (time.monotonic() - began))


def cores() -> int:
    """Return how many processors this machine has for the stack."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def largest_difference(
    work: Bench, source: BatchInput, done: Finished, number: int, seconds: float
) -> tuple[int, float]:
    """Ask for random rows one by one, too; return how many, and the largest difference of a probability.

    It ends after `seconds` if at least 2,000 rows were asked for by then.
    """
    places = np.random.default_rng().permutation(len(source.good))[:number]
    output = done.output
    predicted = np.column_stack([output.column(name).to_numpy() for name in OUTCOMES])

    def difference(place: int) -> float:
        features = source.features(int(source.good[place]))
        alone = work.api.post("/predict/", {"features": features}).expect(200)
        return max(
            abs(float(alone[name]) - float(value)) for name, value in zip(OUTCOMES, predicted[place], strict=True)
        )

    began, asked, largest = time.monotonic(), 0, 0.0
    while asked < len(places) and (asked < LEAST_ON_DEMAND or time.monotonic() - began < seconds):
        some = [int(place) for place in places[asked : asked + 250]]
        largest = max(largest, *work.at_once(difference, some, THREADS))
        asked += len(some)
    return asked, largest
