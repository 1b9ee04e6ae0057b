"""Callbacks on a laptop stack, as clients, receivers and operators use them: what their functions are for."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

from matchcast.adapters.batch_items import moment
from matchcast.adapters.dynamodb_deliveries import DynamoDBDeliveries
from matchcast.adapters.webhook_items import delivery_key
from matchcast.webhook_messages import encode_webhook_message
from matchcast.webhooks.attempt import next_attempt
from matchcast_tools.stack.deployed import Stack
from tests.conformance.receiver import Receiver, Reply, Site
from tests.proofs.batch_duties import Ask, BatchDuties
from tests.proofs.conditions import Conditions

COMES_LATER = Reply(503, headers=(("Retry-After", "60"),))


class CallbackDuties:
    """What clients ask of callbacks, and what receivers get.

    Parameters
    ----------
    stack, conditions
        The stack, which admits callbacks on loopback, and what can be made to misbehave in it.
    receiver
        Where events are delivered.
    ask, demand, soon
        How requests are made, how is noted what is wrong, and how is waited for what has to come.
    """

    def __init__(
        self,
        stack: Stack,
        conditions: Conditions,
        receiver: Receiver,
        *,
        ask: Ask,
        demand: Callable[[bool, str], None],
        soon: Callable[[Callable[[], bool]], bool],
    ) -> None:
        self._stack, self._conditions, self._receiver = stack, conditions, receiver
        self._ask, self._demand, self._soon = ask, demand, soon
        self._table = stack.output("WebhooksTableName")
        self._deliveries = DynamoDBDeliveries(stack.client("dynamodb"), self._table)
        self._secret = ""

    def make_secret(self) -> str:
        """Make a secret, which alone signs from now on; return its id."""
        made = self._ask("POST", "/webhooks/secrets", 201, body=json.dumps({"retire_others_in": 0})).json
        self._secret = str(made.get("secret", self._secret))
        return str(made.get("secret_id"))

    def site(self, *replies: Reply) -> Site:
        """Return a new address, which gives these replies in turn, then 204."""
        return self._receiver.site(*replies)

    def deliver(self, matches: Iterator[str]) -> None:
        """Have events delivered after a failure, a lost message and a replay, and a message buried."""
        began = datetime.now(UTC)
        self.make_secret()
        failing, busy = self.site(Reply(500)), self.site(COMES_LATER)
        event, late = (self._submit(next(matches), site) for site in (failing, busy))
        self._arrives(event, failing)
        self._fails(late)
        self._come_early(late)
        self._lose_message(late)
        self._sweep()
        self._arrives(late, busy)
        self._replay(since=began.isoformat())
        self._arrives(event, failing, series=1)
        self._conditions.poison("webhooks")
        buried = self._soon(lambda: self._conditions.dead_letters("webhooks") == 1)
        self._demand(buried, "the poison of webhooks is no dead letter")

    def manage(self, matches: Iterator[str], batches: BatchDuties) -> None:
        """Make and end secrets, enable an address, and replay events of a task, a lost one of them, and of a batch."""
        self._end_secret(self.make_secret())
        self.make_secret()
        site = self.site(COMES_LATER)
        event = self._submit(next(matches), site)
        self._fails(event)
        self._enable(site)
        task_id = event.split("/")[3]
        self._replay(task_id=task_id)
        self._arrives(event, site, series=1)
        self._forget(event)
        self._replay(task_id=task_id)
        self._arrives(event, site)
        batch_id = batches.submit([next(matches)], callback_url=site.url)
        of_batch = f"/predict/batch/{batch_id}/deliveries"
        self._arrives(of_batch, site)
        self._replay(batch_id=batch_id)
        self._arrives(of_batch, site, series=1)

    def _end_secret(self, secret_id: str) -> None:
        """End a secret, and demand that the list shows it."""
        self._ask("DELETE", f"/webhooks/secrets/{secret_id}", 200)
        listed = self._ask("GET", "/webhooks/secrets", 200).json.get("secrets", [])
        ended = [each["secret_id"] for each in listed if each["ends_at"] is not None]
        self._demand(secret_id in ended, "a secret does not end")

    def _submit(self, match: str, site: Site) -> str:
        """Submit a task that calls an address back; return the path of its deliveries."""
        body = json.dumps({"match_id": match, "callback_url": site.url})
        return f"/predict/async/{self._ask('POST', '/predict/async/', 202, body=body).json['task_id']}/deliveries"

    def _shown(self, path: str) -> dict[str, Any]:
        """Return the only delivery of a subject as its tenant sees it; an empty one where there is none."""
        found = self._ask("GET", path, 200).json.get("deliveries", [])
        return dict(found[0]) if found else {"event_id": "", "state": "", "attempts": []}

    def _arrives(self, path: str, site: Site, series: int = 0) -> None:
        """Demand that the event of a subject is soon delivered, by an attempt of some series, signed for its tenant."""

        def arrived() -> bool:
            delivery = self._shown(path)
            return [delivery["state"], *(each["series"] for each in delivery["attempts"][-1:])] == ["delivered", series]

        self._demand(self._soon(arrived), f"an event is not delivered in series {series}")
        self._demand(self._is_genuine(site), "a receiver cannot verify what it gets")

    def _fails(self, path: str) -> None:
        """Demand that an attempt for a subject soon has an answer other than success."""
        failed = self._soon(lambda: any(each["status"] not in {None, 204} for each in self._shown(path)["attempts"]))
        self._demand(failed, "no attempt fails")

    def _enable(self, site: Site) -> None:
        """Enable an address that failed."""
        listed = self._ask("GET", "/webhooks/endpoints", 200).json.get("endpoints", [])
        found = [each["endpoint_id"] for each in listed if each["url"] == site.url]
        self._demand(bool(found), "an address that failed is not listed")
        for endpoint_id in found:
            self._ask("POST", f"/webhooks/endpoints/{endpoint_id}/enable", 200, body="{}")

    def _replay(self, **which: str) -> None:
        """Have events delivered once more: `task_id`, `batch_id`, or `since`."""
        self._ask("POST", "/webhooks/replay", 202, body=json.dumps(which))

    def _forget(self, path: str) -> None:
        """Delete the record of a subject's delivery: its event was lost on its way."""
        self._stack.client("dynamodb").delete_item(
            TableName=self._table, Key=delivery_key(self._shown(path)["event_id"])
        )

    def _come_early(self, path: str) -> None:
        """Send the message of a subject's next attempt long before it is due, and demand that it comes again."""
        self._conditions.purge()
        delivery = self._deliveries.get(self._shown(path)["event_id"])
        if delivery is not None:
            self._conditions.send("webhooks", encode_webhook_message(next_attempt(delivery, datetime.now(UTC))))
        time.sleep(2)  # it is received, and comes again when it is due
        self._demand(self._conditions.waiting("webhooks") >= 1, "an attempt that came too early does not come again")

    def _lose_message(self, path: str) -> None:
        """Lose the message of a subject's next attempt, and let the time come when the sweep looks after it."""
        self._conditions.purge()
        if event_id := self._shown(path)["event_id"]:
            self._stack.client("dynamodb").update_item(
                TableName=self._table,
                Key=delivery_key(event_id),
                UpdateExpression="SET look_at = :past, next_attempt_at = :past",
                ExpressionAttributeValues={":past": moment(datetime.now(UTC) - timedelta(seconds=1))},
            )

    def _sweep(self) -> None:
        """Look after lost messages, as the schedule does."""
        name = self._stack.output("DeliverWebhooksFunctionName")
        answer = self._stack.client("lambda").invoke(FunctionName=name, Payload=b"{}")
        self._demand(not answer.get("FunctionError"), "the sweep of deliveries failed")

    def _is_genuine(self, site: Site) -> bool:
        """Return whether the tenant's secret verifies what came last."""
        for request in site.requests[-1:]:
            try:
                Webhook(self._secret).verify(request.body, dict(request.headers), json_parse=False)
            except WebhookVerificationError:
                return False
        return bool(site.requests)
