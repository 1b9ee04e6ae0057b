"""What the functions of the HTTP API share: the claim of the tenant, and the signer of cursors."""

from __future__ import annotations

from functools import cache

from matchcast.adapters.aws_errors import unavailable_as
from matchcast.bootstrap import parts
from matchcast.errors import StorageUnavailable
from matchcast.http.cursors import Cursors
from matchcast.settings import CursorSettings, HttpSettings


@cache
def tenant_claim() -> str:
    """Return the token's claim that names the tenant."""
    return HttpSettings().tenant_claim


@cache
def cursors() -> Cursors:
    """Return the signer of list cursors; the key is read when the first cursor is sealed or opened."""
    secrets_manager, name = parts.client("secretsmanager"), CursorSettings().cursor_secret_name

    @cache
    def key() -> bytes:
        with unavailable_as(StorageUnavailable, "The secret that signs cursors"):
            return str(secrets_manager.get_secret_value(SecretId=name)["SecretString"]).encode()

    return Cursors(key)
