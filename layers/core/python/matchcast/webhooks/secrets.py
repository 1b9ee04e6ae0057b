"""The signing secrets of a tenant: made here, shown once, and retired while a new one signs beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from matchcast.domain.task import new_task_id
from matchcast.domain.webhook import SecretRecord
from matchcast.echo import cut
from matchcast.errors import SecretNotFound, TooManySecrets
from matchcast.webhooks.ports import SecretStore
from matchcast.webhooks.signing import new_secret, show_secret

MOST_LIVE = 5
MOST_KEPT = 100
"""Secrets of a tenant, with those that ended within a day: each event and each submission with a callback reads all."""
_DAY = timedelta(days=1)


class ManageSecrets:
    """Makes, lists and ends the signing secrets of tenants."""

    def __init__(self, store: SecretStore, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now

    def create(self, tenant: str, retire_others_in: int | None = None) -> tuple[SecretRecord, str]:
        """Make a secret, and return its record and its value, which nobody is shown again.

        Parameters
        ----------
        tenant
            Whose secret it is.
        retire_others_in
            Seconds after which all other secrets end; None: they go on.

        Raises
        ------
        TooManySecrets
            If more than five would sign at once, or a hundred were made and ended within a day.
        """
        now = self._now()
        known = self._store.list(tenant)
        if sum(each.ends_at is None or now < each.ends_at + _DAY for each in known) >= MOST_KEPT:
            raise TooManySecrets(f"There are {MOST_KEPT} secrets that live, or ended within a day; make one later.")
        others = {each.secret_id for each in known if is_live(each, now)}
        retired = others if retire_others_in == 0 else set()
        _demand_fewer(others - retired)
        # Ids sort by the millisecond of their creation.
        record = SecretRecord(secret_id=new_task_id(now), created_at=now)
        value = new_secret()
        self._store.add(tenant, record, value)
        # Requests at the same time do not see each other's secrets before; the last one sees all, and gives way.
        live = {each.secret_id for each in self._store.list(tenant) if is_live(each, now)}
        try:
            _demand_fewer(live - retired - {record.secret_id})
        except TooManySecrets:
            self._store.end(tenant, record.secret_id, now)
            raise
        if retire_others_in is not None:
            for other in sorted(others):
                self._store.end(tenant, other, now + timedelta(seconds=retire_others_in))
        return record, show_secret(value)

    def list(self, tenant: str) -> Sequence[SecretRecord]:
        """Return a tenant's secrets without their values, oldest first; ended ones too, as long as they are kept."""
        return self._store.list(tenant)

    def end(self, tenant: str, secret_id: str) -> SecretRecord:
        """Let a secret end now, and return it; ending it again changes nothing.

        Raises
        ------
        SecretNotFound
            If the tenant has none with this id.
        """
        now = self._now()
        record = next((each for each in self._store.list(tenant) if each.secret_id == secret_id), None)
        if record is not None and not is_live(record, now):
            return record
        if record is None or not self._store.end(tenant, secret_id, now):
            raise SecretNotFound(f"There is no signing secret {cut(secret_id)}.")
        return record.model_copy(update={"ends_at": now})

    def has_live(self, tenant: str) -> bool:
        """Return whether a tenant has a secret that signs."""
        now = self._now()
        return any(is_live(each, now) for each in self._store.list(tenant))


def _demand_fewer(live: set[str]) -> None:
    if len(live) >= MOST_LIVE:
        raise TooManySecrets(f"There are {len(live)} live secrets; end one with DELETE /webhooks/secrets/{{id}}.")


def is_live(record: SecretRecord, now: datetime) -> bool:
    """Return whether a secret signs at a time."""
    return record.ends_at is None or now < record.ends_at
