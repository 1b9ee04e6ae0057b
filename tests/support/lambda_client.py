"""A Lambda client that runs a handler in this process and answers as the service does."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.support.http_events import Context


@dataclass
class HandlerClient:
    """The `invoke` of one function; an exception of the handler is a function error, as on Lambda."""

    handler: Callable[[dict[str, Any], Any], Any]
    invoked: list[str] = field(default_factory=list)

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803 - boto3's names
        """Run the handler with the payload."""
        self.invoked.append(FunctionName)
        try:
            content = self.handler(json.loads(Payload), Context())
        except Exception as error:  # noqa: BLE001 - whatever it is, Lambda reports it
            problem = {"errorMessage": str(error), "errorType": type(error).__name__}
            return {
                "StatusCode": 200,
                "FunctionError": "Unhandled",
                "Payload": io.BytesIO(json.dumps(problem).encode()),
            }
        return {"StatusCode": 200, "Payload": io.BytesIO(json.dumps(content).encode())}
