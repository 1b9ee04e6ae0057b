"""Whether a tenant may be called back at an address, before anything is accepted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from matchcast.errors import AddressRefused, FieldError, SecretMissing
from matchcast.webhooks.addresses import check_address
from matchcast.webhooks.ports import SecretStore
from matchcast.webhooks.secrets import is_live


class CheckCallback:
    """Checks the address of a callback, and that its events can be signed.

    Parameters
    ----------
    secrets
        The secrets of tenants; their values are not read.
    loopback
        Whether addresses of the machine itself are admitted.
    """

    def __init__(self, secrets: SecretStore, now: Callable[[], datetime], *, loopback: bool) -> None:
        self._secrets = secrets
        self._now = now
        self._loopback = loopback

    def check(self, tenant: str, url: str) -> None:
        """Raise unless the tenant may be called back there. Names are resolved later, when they are called.

        Raises
        ------
        AddressRefused
            If the address has another form than callbacks have, or leads inside.
        SecretMissing
            If the tenant has no secret that signs.
        StorageUnavailable
            If its secrets cannot be read.
        """
        try:
            check_address(url, loopback=self._loopback)
        except AddressRefused as error:
            raise AddressRefused(error.detail, [FieldError(detail=error.detail, pointer="/callback_url")]) from error
        now = self._now()
        if not any(is_live(secret, now) for secret in self._secrets.list(tenant)):
            raise SecretMissing("You have no secret that signs callbacks. Make one with POST /webhooks/secrets first.")
