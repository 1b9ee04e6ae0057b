"""The address of a callback in the body of a request."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from matchcast.http.bodies import RequestBody


class CallbackBody(RequestBody):
    """The body of a request whose final state can be sent to the client."""

    callback_url: str | None = Field(
        default=None,
        max_length=2048,
        description="Where the final state is sent, signed: an https address on port 443, without user info and "
        "fragment, that leads to no private network. It needs a secret of POST /webhooks/secrets.",
    )

    def fingerprinted(self) -> dict[str, Any]:
        """Return what an Idempotency-Key stands for: without a callback the same as before there were any."""
        return self.model_dump(mode="json", exclude=set() if self.callback_url else {"callback_url"})
