"""Signatures of callbacks: each by a live secret of its tenant, and all live secrets among them."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from matchcast.adapters.webhook_items import read_moment
from tests.faults.expressions import Item
from tests.faults.findings import CLOCKS_DIFFER

if TYPE_CHECKING:
    from tests.faults.world import World

_LONGEST_STOP = timedelta(seconds=1300)
"""How long a process may stop between reading the secrets and the request that they sign."""
_PROMPT = timedelta(seconds=10)


class Signatures:
    """Knows when each secret was live."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._live: dict[tuple[str, str], tuple[datetime, datetime | None]] = {}

    def written(self, item: Item | None) -> None:
        """Take in a write of a secret."""
        if item is None:
            return
        secret = item["pk"]["S"].removeprefix("tenant#"), item["sk"]["S"].removeprefix("secret#")
        begun = self._live.get(secret, (self._world.scheduler.true_time(), None))[0]
        self._live[secret] = begun, read_moment(item["ends_at"]) if "ends_at" in item else None

    def check(self, tenant: str, headers: Mapping[str, str], body: bytes) -> None:
        """Judge the signatures of a request."""
        findings, now, what = (
            self._world.witness.findings,
            self._world.scheduler.true_time(),
            headers["webhook-id"][-8:],
        )
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        found = headers["webhook-signature"].split(" ")
        by = {
            "v1," + base64.b64encode(hmac.digest(value, signed, hashlib.sha256)).decode(): secret
            for secret, value in self._world.keys.secrets.items()
        }
        signers = [by[each] for each in found if each in by]
        if len(signers) < len(found) or not found:
            findings.illegal.append(f"{what} has a signature that no secret makes")
        is_prompt = self._world.trouble_at < now - _LONGEST_STOP and not self._world.was_slow(now - _PROMPT)
        slack = (_PROMPT if is_prompt else _LONGEST_STOP) + CLOCKS_DIFFER
        for secret in signers:
            ended = self._live[secret][1]
            if secret[0] != tenant:
                findings.illegal.append(f"{what} is signed by a secret of another tenant")
            if ended is not None and ended + slack < now:
                findings.illegal.append(f"{what} is signed by a secret that has ended")
        for secret, (begun, ended) in self._live.items():
            is_live = begun + slack < now and (ended is None or now + CLOCKS_DIFFER < ended)
            if secret[0] == tenant and is_live and secret not in signers:
                findings.illegal.append(f"{what} is not signed by a live secret")
        if abs(now.timestamp() - int(headers["webhook-timestamp"])) > 1 + slack.total_seconds():
            findings.changed.append(f"{what} is signed for another time")
