"""The check of callbacks, of the functions that accept tasks and batches."""

from __future__ import annotations

from functools import cache

from matchcast.adapters.kms_secrets import KMSSecrets
from matchcast.bootstrap import table
from matchcast.domain.task import utc_now
from matchcast.settings import CallbackSettings
from matchcast.webhooks.callbacks import CheckCallback


@cache
def check_callback() -> CheckCallback:
    """Return what refuses callbacks that lead inside, or could not be signed."""
    settings = CallbackSettings()
    # Without the key: whoever accepts callbacks lists secrets, and neither writes nor reads their values.
    secrets = KMSSecrets(table.dynamodb(), settings.webhooks_table_name, None, "")
    return CheckCallback(secrets, utc_now, loopback=settings.loopback_callbacks)
