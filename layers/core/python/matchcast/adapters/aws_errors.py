"""The one place where errors of the AWS SDK become errors of the product."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from matchcast.errors import Transient


@contextmanager
def unavailable_as(error_type: type[Transient], what: str) -> Iterator[None]:
    """Raise SDK errors inside the block as `error_type`; `what` names the service in the product's words."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise error_type(f"{what} did not answer ({error_code(error) or type(error).__name__}).") from error


def error_code(error: Exception) -> str:
    """Return the service's error code, or an empty string for an error from below the service."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""
