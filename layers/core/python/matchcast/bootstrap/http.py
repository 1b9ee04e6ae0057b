"""What the functions of the HTTP API share: the claim of the tenant, and the signer of cursors."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from matchcast.settings import CursorSettings, HttpSettings

if TYPE_CHECKING:
    from matchcast.http.cursors import Cursors


@cache
def tenant_claim() -> str:
    """Return the token's claim that names the tenant."""
    return HttpSettings().tenant_claim


@cache
def cursors() -> Cursors:
    """Return the signer of list cursors; the key is read when the first cursor is sealed or opened."""
    from aws_lambda_powertools.utilities.parameters import get_secret

    from matchcast.http.cursors import Cursors

    name = CursorSettings().cursor_secret_name
    return Cursors(cache(lambda: str(get_secret(name, max_age=3600)).encode()))
