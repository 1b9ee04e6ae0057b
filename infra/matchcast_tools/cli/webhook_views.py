"""What people see of callbacks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.table import Column, Table

from matchcast_tools.cli import output
from matchcast_tools.receiver.listen import ReceivedEvent
from matchcast_tools.receiver.trial_event import Trial
from matchcast_tools.stack.webhooks import live


def show_secrets(secrets: Sequence[dict[str, Any]], now: datetime) -> None:
    """Print secrets as a table."""
    signing = [each["secret_id"] for each in live(secrets, now)]
    table = Table(Column("secret", no_wrap=True, min_width=36), "signs", "created", "ends")
    for each in secrets:
        signs = "yes" if each["secret_id"] in signing else "no"
        table.add_row(each["secret_id"], signs, each["created_at"], each["ends_at"] or "")
    output.answers.print(table)


def show_endpoints(endpoints: Sequence[dict[str, Any]]) -> None:
    """Print addresses as a table."""
    if not endpoints:
        output.say("No callback address fails.")
        return
    table = Table(Column("endpoint", no_wrap=True, min_width=32), "state", "since", "address")
    for each in endpoints:
        state = "disabled" if each["disabled_at"] else "fails"
        table.add_row(each["endpoint_id"], state, each["disabled_at"] or each["failing_since"], each["url"])
    output.answers.print(table)


def show_deliveries(deliveries: Sequence[dict[str, Any]]) -> None:
    """Print each event, and a line for each of its attempts."""
    if not deliveries:
        output.say("There is no event: it has no callback, or has not ended.")
    for each in deliveries:
        later = f", next attempt {each['next_attempt_at']}" if each["next_attempt_at"] else ""
        output.say(f"{each['type']} {each['event_id']} to {each['url']}: {each['state']}{later}")
        for attempt in each["attempts"]:
            came = attempt["error"] or attempt["status"] or "under way"
            took = "" if attempt["duration_ms"] is None else f" after {attempt['duration_ms']} ms"
            replay = f" of replay {attempt['series']}" if attempt["series"] else ""
            output.say(f"  attempt {attempt['number']}{replay} {attempt['started_at']}: {came}{took}")


def event_line(event: ReceivedEvent) -> str:
    """Return an event that was received as one line."""
    at = event.received_at.astimezone().strftime("%H:%M:%S")
    if event.refused is not None:
        return f"{at} refused ({event.answered}): {event.refused}"
    data = event.content.get("data") if isinstance(event.content, dict) else None
    subject = (
        next((data[name] for name in ("task_id", "batch_id") if name in data), "") if isinstance(data, dict) else ""
    )
    return " ".join(filter(None, [at, event.type, str(subject), event.event_id, "(again)" if event.again else ""]))


def event_content(event: ReceivedEvent) -> dict[str, Any]:
    """Return an event that was received as programs take it."""
    return {
        "received_at": event.received_at.isoformat(),
        "event_id": event.event_id,
        "sent_at": event.sent_at,
        "type": event.type,
        "verified": event.refused is None,
        "refused": event.refused,
        "again": event.again,
        "answered": event.answered,
        "body": event.content,
    }


def show_trial(trial: Trial) -> None:
    """Print what came of a test event."""
    if trial.accepted:
        output.say("A submission with this address is accepted.")
    else:
        but = " A laptop stack with LoopbackCallbacks=true accepts it." if trial.accepted_on_laptop else ""
        output.say(f"A submission with this address is refused: {trial.refused}{but}")
    if trial.status is not None:
        counts = "delivered" if 200 <= trial.status < 300 else "gone, no retry" if trial.status == 410 else "failed"
        output.say(f"The receiver answered {trial.status} after {trial.duration_ms} ms: {counts}.")
    elif trial.duration_ms is not None:
        output.say(f"There is no answer ({trial.error}): {trial.detail}")
