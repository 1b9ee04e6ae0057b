"""The worker of parts: each part of a receive is predicted by one call of the pinned model, and ended once.

Nothing is claimed: two workers with the same part compute the same files, and one of them ends the part. The part whose
turn comes next is sent before anything else is done, so that a batch goes on whatever becomes of a worker.

Where storage or a queue is out of reach, a message comes again for as long as its batch lives. Where the model cannot
be used, the part's attempts are counted; after the last one, and after a fault that will not pass, the message is
buried with its cause and the rows that are left get an error, so that the batch ends. Where not even that can be done,
because files of the batch are gone or are not what was written, the batch fails.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial

from matchcast.batch_messages import BatchName, RunPart, decode_part, named_batch
from matchcast.batches.fail import FailBatches
from matchcast.batches.finish import FinishParts
from matchcast.batches.part_files import NO_ERRORS, in_row_order
from matchcast.batches.patient_calls import Calls, PatientCalls
from matchcast.batches.plan import Window
from matchcast.batches.ports import BatchQueue, BatchStore, Request
from matchcast.batches.predict_rows import predict_rows
from matchcast.domain.batch import Batch, BatchKeys, Part, RowError
from matchcast.errors import (
    BatchFilesMissing,
    InferenceUnavailable,
    MatchcastError,
    ModelUnavailable,
    QueueUnavailable,
    ReleaseRefused,
    StorageUnavailable,
    Transient,
)
from matchcast.ports import ObjectStore, PredictionQueue, Received
from matchcast.releases.pinned_models import PinnedModels
from matchcast.tasks.isolation import faults_named
from matchcast.tasks.settle import KeepMessages, Outcome, task_error

MODEL_SECONDS = 10.0
"""What has to be left for a part to be begun: its split chose rows for five seconds."""
SOON_SECONDS = 5
"""When a part comes again for which there was no time."""
KEPT_REQUESTS = 8

_OUT_OF_REACH = (InferenceUnavailable, QueueUnavailable, StorageUnavailable)
"""The part was not tried, or what it gave could not be kept: this costs no attempt."""


class RunParts:
    """Turns messages of parts into parts that have ended."""

    def __init__(
        self,
        *,
        batches: BatchStore,
        queue: BatchQueue,
        objects: ObjectStore,
        lanes: PredictionQueue,
        models: PinnedModels,
        finish: FinishParts,
        fail: FailBatches,
        window: Window,
        max_attempts: int,
        calls: Calls | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._batches = batches
        self._queue = queue
        self._objects = objects
        self._messages = KeepMessages(lanes)
        self._models = models
        self._finish = finish
        self._fail = fail
        self._window = window
        self._max_attempts = max_attempts
        self._calls = calls or PatientCalls()
        self._monotonic = monotonic
        self._requests: OrderedDict[str, Request] = OrderedDict()

    def run(
        self, parts: Sequence[Received], has_time: Callable[[], bool], seconds: float = MODEL_SECONDS
    ) -> list[Outcome]:
        """Return the outcome of every message of a part, one part after the other.

        Parameters
        ----------
        parts
            Messages of the normal lane that are parts.
        has_time
            Asked before each part: whether there is time for one, with its reads and writes.
        seconds
            How long each part is waited for.
        """
        return [self._run(received, has_time, seconds) for received in parts]

    def _run(self, received: Received, has_time: Callable[[], bool], seconds: float) -> Outcome:
        try:
            message = decode_part(received.body)
        except MatchcastError as error:
            return self._give_up(received, named_batch(received.body), error)
        renew = partial(self._queue.send_parts, [message])
        if not has_time():
            return self._messages.keep(received, None, renew, SOON_SECONDS)
        try:
            with faults_named():
                self._work(message, seconds)
        except _OUT_OF_REACH as error:
            return self._messages.keep(received, error, renew)
        except Transient as error:
            return self._try_again(received, message, error)
        except MatchcastError as error:
            return self._give_up(received, message, error)
        return Outcome(received.message_id, done=True)

    def _work(self, message: RunPart, seconds: float) -> None:
        """Send the next part, then predict this one and end it, if that is still to be done."""
        opened = self._finish.open(message.batch_id, message.generation, message.number)
        if opened is None:
            return
        batch, before = opened
        self._window.go_on(batch, message.position)
        until = self._monotonic() + seconds
        model = batch.provenance.model
        predict = partial(self._predict, batch, message.number, before, lambda: self._monotonic() < until)
        self._calls(f"{model.name} version {model.version}", predict, seconds)

    def _predict(self, batch: Batch, number: int, before: Part | None, has_time: Callable[[], bool]) -> None:
        """Predict the rows of a part that have no prediction yet, and end it."""
        try:
            loaded = self._models.get(self._request(batch).model, batch.provenance.model.stage)
        except ReleaseRefused as error:
            if type(error) is ReleaseRefused:  # it may load elsewhere, or later; a file that is another one never does
                raise ModelUnavailable(f"The model of the batch cannot be loaded: {error.detail}") from error
            raise
        rows, earlier = self._finish.rows(batch, number), self._finish.earlier_output(batch, before)
        places = rows.without(earlier)
        predicted = predict_rows(loaded.model, rows.values[places], has_time)
        good = predicted.good
        output = in_row_order(earlier, rows.predictions(places[good], predicted.probabilities[good]))
        failures = [rows.failures(places[those], error) for error, those in predicted.errors]
        failed = in_row_order(NO_ERRORS, *failures)
        self._finish.finish(batch, number, rows, output=output, failed=failed, before=before)

    def _request(self, batch: Batch) -> Request:
        """Return what was accepted: it never changes, so that of a few batches is kept."""
        found = self._requests.pop(batch.batch_id, None)
        if found is None:
            key = BatchKeys(batch.batch_id).request
            stored = self._objects.get(key)
            if stored is None:
                raise BatchFilesMissing(f"{key} is missing: no part of the batch can be predicted.")
            found = Request.model_validate_json(stored.body)
        self._requests[batch.batch_id] = found
        while len(self._requests) > KEPT_REQUESTS:
            self._requests.popitem(last=False)
        return found

    def _try_again(self, received: Received, message: RunPart, problem: Transient) -> Outcome:
        """Count a failed attempt; after the last one give up."""
        try:
            with faults_named():
                attempts = self._batches.record_part_attempt(message.batch_id, message.number, message.generation)
        except Transient as error:
            return self._messages.keep(received, error, partial(self._queue.send_parts, [message]))
        except MatchcastError as error:
            return self._give_up(received, message, error)
        if attempts >= self._max_attempts:
            return self._give_up(received, message, problem)
        return self._messages.delay(received, problem, failures=attempts, factor=3)

    def _give_up(self, received: Received, named: RunPart | BatchName | None, problem: MatchcastError) -> Outcome:
        """Bury the message, then end the part, or the batch if that is impossible; a crash in between repeats both."""
        buried = self._messages.bury(received, problem, None if named is None else named.batch_id)
        if named is None or not buried.done:
            return buried
        try:
            with faults_named():
                self._end(named, problem)
        except Transient as error:  # it comes again; where it came too often, the sweep has the part ended
            return self._messages.delay(received, error, failures=received.receive_count, factor=2)
        except MatchcastError:  # a record that the table refuses: the letter is all that can be kept
            return buried
        return buried

    def _end(self, named: RunPart | BatchName, problem: MatchcastError) -> None:
        if isinstance(named, RunPart) and not isinstance(problem, BatchFilesMissing):
            try:
                with faults_named():
                    return self._end_part(named, problem)
            except Transient:
                raise
            except MatchcastError as error:
                problem = error
        self._fail.fail(named, task_error(problem))
        return None

    def _end_part(self, message: RunPart, problem: MatchcastError) -> None:
        """End a part with an error for each row that has no prediction."""
        opened = self._finish.open(message.batch_id, message.generation, message.number)
        if opened is not None:
            batch, before = opened
            self._finish.give_up(batch, message.number, before, RowError(problem.code, "", _GIVEN_UP))


_GIVEN_UP = "The rows of this part could not be predicted. Run the failed rows of the batch again."
