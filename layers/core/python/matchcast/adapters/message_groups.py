"""The message group of a tenant: by it SQS lets tenants with few messages go before one that fills a queue."""

from __future__ import annotations

import hashlib
import re

_GROUP = re.compile(r"[!-~]{1,128}")
"""What SQS takes as a group: letters, digits and punctuation of ASCII."""


def message_group(tenant: str) -> str:
    """Return the tenant, or the SHA-256 of one that SQS does not take as it is."""
    return tenant if _GROUP.fullmatch(tenant) else hashlib.sha256(tenant.encode()).hexdigest()
