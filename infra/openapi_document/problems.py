"""The errors of the document: the service's problems by their codes, and what the gateway answers in its own words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from matchcast.errors import FieldError, MatchcastError, MethodNotAllowed, RouteNotFound, TooManyBatches, TooManyTasks
from matchcast.http.bodies import RequestBody
from matchcast.http.contract import PROBLEM_TYPES, problem_answer
from matchcast.http.problems import CONTENT_TYPE, TYPE_PREFIX, problem
from matchcast.http.tokens import tenant_of
from openapi_document.examples import TASK_ID

REF = "#/components/examples/"
NOT_OF_A_ROUTE = (RouteNotFound, MethodNotAllowed)
"""Problems of what is no operation, and so in no list of responses."""

_REQUEST_ID = "WqXyZjI5oAMEP7w="
_GATEWAY = {
    401: ("Unauthorized", "The token is missing, expired or not for this API."),
    403: ("Forbidden", "The token lacks the scope."),
    413: ("Request Entity Too Large", "The body is too large."),
    429: (
        "Too Many Requests",
        "More requests than the API takes at once; send it again after a second, then after twice as long each time.",
    ),
    500: ("Internal Server Error", "The service did not answer as it should."),
    503: ("Service Unavailable", "The service could not answer in time, or is throttled; send the request again."),
}
_SHARED = {
    403: ("tenant-missing", "tenant-invalid"),
    413: ("content-too-large",),
    415: ("unsupported-media-type",),
    422: ("invalid-request",),
    500: ("internal-error",),
}
"""What operations of a kind answer without naming it."""
_DETAILS = {
    "address-refused": "The host 10.0.0.1 is not a public address.",
    "batch-gone": f"The batch {TASK_ID} expired at 2026-03-08T12:00:00Z; submit it again.",
    "batch-not-found": f"There is no batch {TASK_ID}.",
    "conflict": f"The task {TASK_ID} is succeeded already; only a queued one can be cancelled.",
    "cursor-not-found": "The cursor is not one of this list. Use `next_cursor` with the filters it was issued for, or "
    "start without a cursor.",
    "content-too-large": f"The body is too long; this resource takes {RequestBody.max_bytes} bytes at most.",
    "endpoint-not-found": "There is no failing endpoint 0f4c1b7a9d2e3f5061728394a5b6c7d8.",
    "idempotency-key-reused": "This key was used with another request. Send a new key, or the request as it was.",
    "idempotency-key-malformed": "Send 1 to 255 visible ASCII characters, in double quotes or without any.",
    "input-not-found": "There is no file under this key. Upload it with the form of POST /predict/batch/uploads.",
    "match-not-found": "No match of the snapshot has the id e0-2026-03-07-alder-birch.",
    "release-unfit": "The model of this stage needs features that the present snapshot lacks: odds_home.",
    "route-not-found": "There is nothing under this path; GET /openapi.json lists all that there is.",
    "scope-missing": "`Prefer: respond-async` makes a task, for which the token needs the scope predictions/write.",
    "secret-not-found": f"There is no signing secret {TASK_ID}.",
    "stage-not-found": "No model is published under the stage 'autumn'.",
    "task-gone": f"The task {TASK_ID} expired at 2026-03-08T12:00:00Z; submit it again.",
    "task-not-found": f"There is no task {TASK_ID}.",
    "task-over": f"The task {TASK_ID} is expired.",
    "too-many-batches": "10 batches are open, which is as many as may be; submit again when one has ended.",
    "too-many-secrets": "There are 5 live secrets; end one with DELETE /webhooks/secrets/{id}.",
    "too-many-tasks": "10000 tasks are open, which is as many as may be; submit again when some have ended.",
    "webhook-secret-missing": "You have no secret that signs callbacks. Make one with POST /webhooks/secrets first.",
    "unsupported-media-type": "The body has to be JSON. Send the header Content-Type: application/json.",
}


def kinds(base: type[MatchcastError] = MatchcastError) -> dict[str, type[MatchcastError]]:
    """Return every kind of error by its code."""
    found = {base.code: base}
    for kind in base.__subclasses__():
        # One with the code of its base is the same problem to a client.
        found = kinds(kind) | found
    return found


def add_shared_answers(responses: dict[int, Any], *, has_body: bool, secured: bool) -> None:
    """Add what every operation of a kind may answer, from the service or the gateway in front of it.

    Where both use a status, the media type distinguishes them.
    """
    # An operation without any parameter refuses those that are sent.
    answered = {403: secured, 413: has_body, 415: has_body, 422: True, 500: True}
    for status, codes in _SHARED.items():
        if answered[status]:
            named = responses.setdefault(status, problem_answer())
            named[PROBLEM_TYPES] = [*codes, *named.get(PROBLEM_TYPES, [])]
    for status, (message, _) in _GATEWAY.items():
        if (status in (401, 403) and not secured) or (status == 413 and not has_body):
            continue
        content = responses.setdefault(status, {"description": ""}).setdefault("content", {})
        schema: dict[str, Any] = {"$ref": "#/components/schemas/GatewayError"}
        if (json_body := content.get("application/json")) is not None:
            schema = {"anyOf": [json_body["schema"], schema]}
        elif (own := content.get(CONTENT_TYPE)) is not None:
            # Clients are generated with one schema for a status, whatever its media types.
            schema = own["schema"] = {"oneOf": [own["schema"], schema]}
        content["application/json"] = {"schema": schema, "example": {"message": message}}


def describe_error(status: int, response: dict[str, Any]) -> dict[str, Any]:
    """Return the response of an error: what each problem means, an example of each, and what the gateway means."""
    codes = response.pop(PROBLEM_TYPES, [])
    lines = [f"- `{code}`: {_meaning(kinds()[code])}" for code in codes]
    if status in _GATEWAY and "application/json" in response["content"]:
        lines.append(f"- `GatewayError` (`application/json`): {_GATEWAY[status][1]}")
    own = [response["description"]] if response["description"] else []
    description = "\n".join([*own, *lines]) if len(lines) > 1 or own else lines[0].partition(": ")[2]
    headers = dict(response.get("headers") or {})
    if codes and status in (429, 503):
        headers["Retry-After"] = {"schema": {"type": "integer"}}
    content = response["content"]
    if codes:
        content[CONTENT_TYPE]["examples"] = {code: {"$ref": REF + code} for code in codes}
    described = {"description": description, "headers": headers, "content": content}
    return {name: value for name, value in described.items() if value}


def problem_examples(operations: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return an example of every problem that the operations name."""
    return {
        code: {"summary": kinds()[code].title, "value": example_of(kinds()[code])}
        for code in sorted(_named(operations))
    }


def example_of(kind: type[MatchcastError]) -> dict[str, Any]:
    """Return a problem of a kind, as the service answers it."""
    return problem(_instance(kind), path="/predict/...", request_id=_REQUEST_ID)


def table_of_problems(operations: Iterable[dict[str, Any]]) -> str:
    """Return a table of every problem that the API answers, in Markdown, folded where it is shown."""
    named = {code: kinds()[code] for code in _named(operations)} | {kind.code: kind for kind in NOT_OF_A_ROUTE}
    rows = sorted(named.values(), key=lambda kind: (kind.status, kind.code))
    lines = [f"| {kind.status} | `{kind.code}` | {_meaning(kind)} |" for kind in rows]
    head = [f"| status | `{TYPE_PREFIX}`... | meaning |", "|---|---|---|"]
    return "\n".join(
        ["<details><summary>All problems by status and type</summary>", "", *head, *lines, "", "</details>"]
    )


def _named(operations: Iterable[dict[str, Any]]) -> Iterator[str]:
    for operation in operations:
        for response in operation["responses"].values():
            yield from response.get("content", {}).get(CONTENT_TYPE, {}).get("examples", {})


def _meaning(kind: type[MatchcastError]) -> str:
    if kind is MatchcastError:
        return "The service failed; `request_id` helps its operators to find out why."
    return " ".join((kind.__doc__ or "").partition("\n\n")[0].split())


def _instance(kind: type[MatchcastError]) -> MatchcastError:
    if kind.code == "invalid-request":
        detail = "Input should be less than or equal to 1000."
        return kind(f"parameter limit: {detail}", [FieldError(detail=detail, parameter="limit")])
    if kind.status == 403 and kind.code.startswith("tenant"):
        try:
            tenant_of({"client_id": "[north south]"} if kind.code == "tenant-invalid" else {}, "client_id")
        except MatchcastError as error:
            return error
    if issubclass(kind, (TooManyBatches, TooManyTasks)):
        return kind(_DETAILS[kind.code], retry_after=1)
    return kind(_DETAILS.get(kind.code, ""))
