"""What the claims of a verified token say: whose it is, and what it may do.

API Gateway hands every claim to a function as text. A list becomes its items between brackets (`[a b]`), a number its
digits, and an object its JSON; a claim that is null is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from matchcast.errors import ScopeMissing, TenantInvalid, TenantMissing

MAX_TENANT_LENGTH = 128
TENANT = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._:@|+~=-]{{0,{MAX_TENANT_LENGTH - 1}}}")
"""Ids of clients, UUIDs, slugs, subjects and mail addresses: what is safe as part of a key, a prefix and a log line."""
WRITE_SCOPE = "predictions/write"
_SCOPE_CLAIMS = ("scope", "scp")


def tenant_of(claims: Mapping[str, Any], name: str) -> str:
    """Return the tenant that the claim `name` holds.

    Raises
    ------
    TenantMissing
        If there is no such claim.
    TenantInvalid
        If its value is not the name of one tenant.
    """
    tenant = claims.get(name)
    if tenant is None or tenant == "":
        raise TenantMissing(f"The token has no claim '{name}', which names the tenant; ask for another token.")
    if not isinstance(tenant, str) or TENANT.fullmatch(tenant) is None:
        raise TenantInvalid(
            f"The token's claim '{name}' names no tenant: it has to be one text of 1 to {MAX_TENANT_LENGTH} letters, "
            "digits and ._:@|+~=- that begins with a letter or digit; ask for another token."
        )
    return tenant


def scopes_of(claims: Mapping[str, Any]) -> frozenset[str]:
    """Return the scopes of a token, from `scope` (RFC 8693) or `scp` (Okta, Entra ID), as text or as a list.

    Examples
    --------
    >>> sorted(scopes_of({"scp": "[predictions/read predictions/write]"}))
    ['predictions/read', 'predictions/write']
    """
    found: set[str] = set()
    for name in _SCOPE_CLAIMS:
        value = claims.get(name) or ""
        found.update(value.removeprefix("[").removesuffix("]").split() if isinstance(value, str) else map(str, value))
    return frozenset(found)


def demand_write_scope(claims: Mapping[str, Any]) -> None:
    """Raise ScopeMissing unless the token may write: a preference makes a task of a reading request."""
    if WRITE_SCOPE not in scopes_of(claims):
        raise ScopeMissing(f"`Prefer: respond-async` makes a task, for which the token needs the scope {WRITE_SCOPE}.")
