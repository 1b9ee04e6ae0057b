"""From the table's stream to the queue: each record of a final state becomes an event, however often it comes.

The queue is all that can hold up a shard. A record of which nothing can be made is buried with its cause.
"""

from __future__ import annotations

from collections.abc import Sequence

from matchcast.errors import MatchcastError, Transient
from matchcast.tasks.isolation import apart, faults_named
from matchcast.webhook_messages import NewEvent
from matchcast.webhooks.events import Render, event_of
from matchcast.webhooks.ports import StreamRecord, WebhookQueue

_RECORDS_AT_ONCE = 10


class PublishEvents:
    """Sends the events of stream records to the queue."""

    def __init__(self, queue: WebhookQueue, render: Render) -> None:
        self._queue = queue
        self._render = render

    def publish(self, records: Sequence[StreamRecord]) -> str | None:
        """Return the sequence number of the first record that has to come again, with all behind it; None: none has.

        Records without an event (not final, no callback) are passed over.
        """
        for start in range(0, len(records), _RECORDS_AT_ONCE):
            some = records[start : start + _RECORDS_AT_ONCE]
            try:
                self._publish(some)
            except Transient:
                return some[0].sequence_number
        return None

    def _publish(self, records: Sequence[StreamRecord]) -> None:
        made = [(record, self._message(record)) for record in records]
        sendable = [(record, message) for record, message in made if isinstance(message, NewEvent)]
        sent = apart(self._send, [message for _, message in sendable])
        refused = [(record, result) for (record, _), result in zip(sendable, sent, strict=True)]
        for record, problem in [*made, *refused]:
            if isinstance(problem, MatchcastError):
                self._bury(record, problem)

    def _message(self, record: StreamRecord) -> NewEvent | MatchcastError | None:
        if isinstance(record.subject, MatchcastError):
            return record.subject
        try:
            with faults_named():
                event = event_of(record.subject, self._render)
        except MatchcastError as error:
            return error
        return None if event is None else NewEvent(event=event)

    def _send(self, messages: Sequence[NewEvent]) -> list[None]:
        if messages:
            self._queue.send(messages)
        return [None] * len(messages)

    def _bury(self, record: StreamRecord, problem: MatchcastError) -> None:
        self._queue.bury(record.body, problem.code)
