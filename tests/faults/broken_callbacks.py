"""Broken copies of callbacks: each lacks one thing that events, attempts, the worker or the sweep take care of."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from matchcast.adapters.dynamodb_deliveries import DynamoDBDeliveries
from matchcast.adapters.sqs_webhooks import SQSWebhooks
from matchcast.domain.webhook import Attempt, Delivery, DeliveryState, Event
from matchcast.errors import DeliveryFailed, MatchcastError
from matchcast.webhook_messages import NextAttempt
from matchcast.webhooks import attempt as attempts
from matchcast.webhooks import publish
from matchcast.webhooks.attempt import MakeAttempts
from matchcast.webhooks.deliver import DeliverEvents, Outcome
from matchcast.webhooks.publish import PublishEvents
from matchcast.webhooks.sweep import SweepDeliveries, Swept
from tests.faults import tampering as wire
from tests.faults.invocations import HANDLERS
from tests.faults.mutant import Mutant, on_the_wire
from tests.faults.wire import Wire

# From final states to events.


def dropped(publishing: PublishEvents, records: Sequence[Any]) -> str | None:
    publish_records(publishing, records)
    return None


publish_records = PublishEvents.publish


def first_missing_passed(publishing: PublishEvents, records: Sequence[Any]) -> str | None:
    """Say which record failed last, so that those before it do not come again."""
    first = publish_records(publishing, records)
    return first and records[-1].sequence_number


def a_new_id(subject: Any, render: Any) -> Event | None:
    event = event_of(subject, render)
    return event and event.model_copy(update={"event_id": f"{event.event_id}{random.randrange(100)}"})


event_of: Callable[..., Event | None] = vars(publish)["event_of"]


def one_id_for_all(subject: Any, render: Any) -> Event | None:
    event = event_of(subject, render)
    return event and event.model_copy(update={"event_id": f"{event.event_id.rpartition('_')[0]}_0"})


# Attempts.


def without_records(deliveries: DynamoDBDeliveries, event: Event, look_at: datetime) -> bool:
    """Put the record whether there is one or not."""
    item = {**new_delivery(event, look_at), "mark": {"S": "mark"}}
    deliveries._client.put_item(TableName=deliveries._table, Item=item)
    return True


def new_delivery(event: Event, look_at: datetime) -> Any:
    from matchcast.adapters.webhook_items import new_delivery as item_of

    return item_of(event, look_at)


def of_claims(change: Any) -> wire.Broken:
    """Return a wire that changes the claims of attempts."""
    return of_updates("ADD tried", change)


def of_updates(part: str, change: Any) -> wire.Broken:
    def tamper(_: Wire, operation: str, content: Any) -> None:
        if operation == "UpdateItem" and part in content.get("UpdateExpression", ""):
            change(content)

    return wire.request(tamper)


def no_condition(content: Any) -> None:
    content.pop("ConditionExpression")


def any_series(content: Any) -> None:
    condition = content["ConditionExpression"]
    if "ADD tried" not in content["UpdateExpression"]:
        content["ConditionExpression"] = condition.replace(" AND series = :series AND tried = :tried", "")


def unclaimed(_: DynamoDBDeliveries, __: Delivery, ___: Attempt, ____: datetime) -> bool:
    return True


def forgotten_claim(content: Any) -> None:
    """Have the sweep never look after an attempt whose worker may die."""
    content["ExpressionAttributeValues"][":look_at"] = {"N": "9000000000"}


def left_unended(making: MakeAttempts, wanted: NextAttempt) -> int | None:
    delivery = making._deliveries.get(wanted.event_id)
    if delivery is not None and delivery.unended is not None:
        return None
    return make_attempt(making, wanted)


make_attempt = MakeAttempts.make


def made_again(making: MakeAttempts, wanted: NextAttempt) -> int | None:
    """Make an attempt without an end once more, as if it had not been made."""
    delivery = making._deliveries.get(wanted.event_id)
    if delivery is None or delivery.unended is None or delivery.tried != wanted.tried:
        return make_attempt(making, wanted)
    secrets = making._live_secrets(delivery.event, making._now())
    making._end(delivery, delivery.unended, making._result(delivery.event, None, secrets))
    return None


def gone_is_down(making: MakeAttempts, event: Event, secrets: Sequence[bytes]) -> Any:
    result = post(making, event, secrets)
    return attempts._Result(DeliveryState.PENDING, 410) if result.status == 410 else result


def any_answer(making: MakeAttempts, event: Event, secrets: Sequence[bytes]) -> Any:
    try:
        return post(making, event, secrets)
    except DeliveryFailed:
        return attempts._Result(DeliveryState.DELIVERED, 200, works=True)


post = MakeAttempts._post


def one_more(tried: int, uniform: Any, retry_after: float | None = None) -> int | None:
    found = delay_seconds(tried, uniform, retry_after)
    return 86_400 if found is None and tried < 15 else found


def one_less(tried: int, uniform: Any, retry_after: float | None = None) -> int | None:
    return None if tried >= 9 else delay_seconds(tried, uniform, retry_after)


def no_waiting(tried: int, uniform: Any, retry_after: float | None = None) -> int | None:
    found = delay_seconds(tried, uniform, retry_after)
    return found and min(found, 300)


delay_seconds: Callable[..., int | None] = vars(attempts)["delay_seconds"]


def not_looked_at(due_at: datetime, seconds: int) -> datetime:
    return look_at(due_at, seconds) + timedelta(days=0 if seconds > 900 else 3650)


look_at: Callable[..., datetime] = vars(attempts)["look_at"]


def only_by_the_sweep(queue: SQSWebhooks, messages: Sequence[Any], delays: Any = None) -> None:
    """Send the next attempts of a worker never: the sweep finds them later."""
    if not (len(messages) == 1 and isinstance(messages[0], NextAttempt) and messages[0].tried and delays):
        send(queue, messages, delays)


send = SQSWebhooks.send

# The worker.


def all_done(event: Any, context: Any) -> Any:
    answer = deliver_webhooks(event, context)
    is_stream = event.get("Records", [{}])[0].get("eventSource") == "aws:dynamodb"
    return {"batchItemFailures": []} if "batchItemFailures" in answer and not is_stream else answer


deliver_webhooks = HANDLERS["deliver_webhooks"]


def no_sweep(event: Any, context: Any) -> Any:
    return deliver_webhooks(event, context) if "Records" in event else {}


def given_up_at_once(worker: DeliverEvents, received: Any, _: Any, problem: MatchcastError) -> Outcome:
    return worker._bury(received, problem)


def swept_once(sweep: SweepDeliveries, seconds: float = 45) -> Swept:
    """Take what is due out of the index before its messages are sent."""
    due = sweep._deliveries.due(sweep._now(), 500)
    for each in due:
        sweep._deliveries.looked_at(each, sweep._now() + timedelta(days=3650))
    del seconds
    sweep._queue.send(due, [sweep._delay(each) for each in due])
    return Swept(len(due), 0.0)


CALLBACK_MUTANTS = (
    # Every final state is one event.
    Mutant("a queue outage drops stream records", PublishEvents, "publish", dropped),
    Mutant("only the last stream record comes again", PublishEvents, "publish", first_missing_passed),
    Mutant("a repeated stream record makes a new id", publish, "event_of", a_new_id),
    Mutant("an event's id without its generation", publish, "event_of", one_id_for_all),
    # Every event is tried until it has arrived, ten times at most.
    Mutant("a new event replaces its record", DynamoDBDeliveries, "create", without_records),
    on_the_wire("a claim without condition", of_claims(no_condition)),
    Mutant("an attempt that nobody claims", DynamoDBDeliveries, "claim", unclaimed),
    on_the_wire("the end of an attempt in any series", of_updates("#state = :state", any_series)),
    on_the_wire("the sweep does not look after a claim", of_claims(forgotten_claim)),
    Mutant("a dead worker's attempt never ends", MakeAttempts, "make", left_unended),
    Mutant("a dead worker's attempt is made again", MakeAttempts, "make", made_again),
    Mutant("410 is tried again", MakeAttempts, "_post", gone_is_down),
    Mutant("a lost answer is a delivery", MakeAttempts, "_post", any_answer),
    Mutant("the tenth attempt is not the last", attempts, "delay_seconds", one_more),
    Mutant("nine attempts are enough", attempts, "delay_seconds", one_less),
    Mutant("attempts follow each other too soon", attempts, "delay_seconds", no_waiting),
    Mutant("the sweep looks only after long waits", attempts, "look_at", not_looked_at),
    Mutant("the next attempt is left to the sweep", SQSWebhooks, "send", only_by_the_sweep),
    Mutant("a message is deleted before its event is recorded", HANDLERS, "deliver_webhooks", all_done),
    Mutant("no sweep of deliveries", HANDLERS, "deliver_webhooks", no_sweep),
    Mutant("the sweep forgets before it sends", SweepDeliveries, "sweep", swept_once),
    Mutant("the first fault buries an event", DeliverEvents, "_try_again", given_up_at_once),
)
"""The broken copies of what makes events and attempts."""
