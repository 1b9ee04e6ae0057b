"""The examples of the document as requests, sent as they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from matchcast_tools.stack.api_client import ApiClient

OF_THE_CALLER = ("{task_id}", "{batch_id}", "{secret_id}", "{endpoint_id}")
"""Marks paths of which no document can know an example: those of the caller's own tasks, batches, secrets, ..."""
OWN_MEMBERS = {"input", "task_id", "batch_id"}
"""The members of a body that name an upload, a task or a batch of the caller's own."""


def example_requests(document: dict[str, Any]) -> Iterator[tuple[str, str, str, Any]]:
    """Yield the id, method, path and body of each example of a request, but for those of the caller's own."""
    for template, methods in document["paths"].items():
        if any(mark in template for mark in OF_THE_CALLER):
            continue
        for method, operation in methods.items():
            path = template
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "path":
                    path = path.replace(f"{{{parameter['name']}}}", parameter["example"])
            contents = operation.get("requestBody", {}).get("content", {}).values()
            examples = [example["value"] for content in contents for example in content["examples"].values()]
            bodies = [body for body in examples if not OWN_MEMBERS & body.keys()]
            for body in bodies or [None]:
                yield operation["operationId"], method.upper(), path, body


def send_examples(document: dict[str, Any], api: ApiClient) -> dict[str, list[int]]:
    """Send every example; return the statuses by the operation's id."""
    found: dict[str, list[int]] = {}
    for operation, method, path, body in example_requests(document):
        answer = api.request(method, path) if body is None else api.post(path, body)
        found.setdefault(operation, []).append(answer.status)
    return found
