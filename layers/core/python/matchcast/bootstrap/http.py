"""What the functions of the HTTP API share: their settings, and the signer of cursors."""

from __future__ import annotations

from functools import cache

from matchcast.adapters.aws_errors import unavailable_as
from matchcast.bootstrap import parts
from matchcast.errors import StorageUnavailable
from matchcast.http.cursors import Cursors
from matchcast.settings import CursorSettings, HttpSettings


@cache
def settings() -> HttpSettings:
    """Return what every function of the API reads from its environment."""
    return HttpSettings()


@cache
def cursors() -> Cursors:
    """Return the signer of list cursors; the key is read when the first cursor is sealed or opened."""
    secrets_manager, name = parts.client("secretsmanager"), CursorSettings().cursor_secret_name

    @cache
    def key() -> bytes:
        with unavailable_as(StorageUnavailable, "The secret that signs cursors"):
            return str(secrets_manager.get_secret_value(SecretId=name)["SecretString"]).encode()

    return Cursors(key)
