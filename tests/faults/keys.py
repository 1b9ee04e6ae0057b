"""A small KMS: one key, which gives a text back only to who names the context that it was encrypted with."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.faults.expressions import Unmodelled
from tests.faults.scheduler import Scheduler
from tests.faults.transactions import ServiceError

KEY = "signing"
_MAY = {"Encrypt": "manage_webhooks", "Decrypt": "deliver_webhooks"}
"""Which function alone has the right to each operation."""


class Keys:
    """The key of signing secrets, behind its requests as the wire brings them."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.secrets: dict[tuple[str, str], bytes] = {}
        """The values of all secrets, by tenants and ids."""
        self._scheduler = scheduler

    def handle(self, operation: str, content: Any) -> dict[str, Any]:
        """Answer a request.

        Raises
        ------
        ServiceError
            If the service says no.
        """
        environment = self._scheduler.me().environment
        if operation not in _MAY:
            raise Unmodelled(f"KMS's {operation}")
        if environment is None or not environment.name.startswith(f"{_MAY[operation]} "):
            raise ServiceError("AccessDeniedException", f"Nothing but {_MAY[operation]} may do that.")
        context = content.get("EncryptionContext", {})
        if operation == "Encrypt":
            return {"CiphertextBlob": self._encrypted(content["Plaintext"], context), "KeyId": KEY}
        known = json.loads(base64.b64decode(content["CiphertextBlob"]))
        if known["context"] != context:
            raise ServiceError("InvalidCiphertextException")
        return {"Plaintext": known["text"], "KeyId": KEY}

    def _encrypted(self, text: str, context: dict[str, str]) -> str:
        self.secrets[context["tenant"], context["secret_id"]] = base64.b64decode(text)
        return base64.b64encode(json.dumps({"text": text, "context": context}).encode()).decode()
