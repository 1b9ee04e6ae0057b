"""Send a signed test event from this machine, as the service would send an event."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from pydantic_core import to_json

from matchcast.adapters.https_poster import HttpsPoster
from matchcast.domain.task import new_task_id, utc_now
from matchcast.errors import AddressRefused, DeliveryFailed
from matchcast.webhooks.addresses import check_address
from matchcast.webhooks.attempt import POST_SECONDS
from matchcast.webhooks.signing import signed_headers

TYPE = "task.succeeded"


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of a test event.

    `accepted` says whether a submission with this address is accepted, `accepted_on_laptop` whether one to a stack is
    that admits loopback; `refused` is why not. `status` is that of the answer, `error` why there is none.
    """

    url: str
    event_id: str
    accepted: bool
    accepted_on_laptop: bool
    refused: str | None = None
    status: int | None = None
    error: str | None = None
    detail: str | None = None
    duration_ms: int | None = None


def try_receiver(url: str, secret: bytes, seconds: float = POST_SECONDS) -> Trial:
    """Send a test event to a receiver; nothing is sent to an address that no stack would call."""
    now = utc_now()
    event_id = f"evt_test{new_task_id(now).replace('-', '')}_0"
    refused, on_laptop = _why_refused(url, loopback=False), _why_refused(url, loopback=True)
    trial = Trial(url, event_id, accepted=refused is None, accepted_on_laptop=on_laptop is None, refused=refused)
    if on_laptop is not None:
        return replace(trial, error=AddressRefused.code, detail=on_laptop)
    body = to_json({"type": TYPE, "timestamp": now, "data": {"test": True}})
    began = time.monotonic()
    try:
        answer = HttpsPoster(loopback=True).post(url, signed_headers([secret], event_id, now, body), body, seconds)
        trial = replace(trial, status=answer.status)
    except AddressRefused as found:
        trial = replace(trial, error=found.code, detail=found.detail)
    except DeliveryFailed as found:
        trial = replace(trial, error=found.cause, detail=found.detail)
    return replace(trial, duration_ms=round((time.monotonic() - began) * 1000))


def _why_refused(url: str, *, loopback: bool) -> str | None:
    try:
        check_address(url, loopback=loopback)
    except AddressRefused as error:
        return error.detail
    return None
