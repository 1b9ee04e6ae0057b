"""`make prove-clients`: clients that others' generators make of a running stack's document, and its own examples."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import typer

from matchcast_tools.stack.api_client import ApiClient
from matchcast_tools.stack.deployed import Stack
from matchcast_tools.stack.tokens import fetch_token
from tests.proofs.claims import Claims
from tests.support.document_examples import send_examples
from tests.support.generated_clients import NPM, python_client, typescript_submits, typescript_types
from tests.support.laptop import Command

MODELS = {"match": "MatchSubmission", "features": "FeaturesSubmission"}


def main() -> None:
    """Show that generated clients need no repair: they submit, and so does every example as it is."""
    claims = Claims()
    claims.say("starting a laptop stack with the sample league")
    with (
        tempfile.TemporaryDirectory() as folder,
        Command(Path(folder) / "local", Path(folder) / "sample").stack() as stack,
    ):
        api = ApiClient.of(stack)
        document = api.get("/openapi.json").expect(200)
        body = document["paths"]["/predict/async/"]["post"]["requestBody"]["content"]["application/json"]
        bodies = {name: example["value"] for name, example in body["examples"].items()}
        examples(document, api, claims)
        by_python(document, bodies, stack, claims)
        if NPM is None:
            claims.say("node and npm are not installed; nothing is said of TypeScript")
        else:
            by_typescript(document, list(bodies.values()), stack, claims)
    claims.finish()


def examples(document: dict[str, Any], api: ApiClient, claims: Claims) -> None:
    """Send every example as it is."""
    claims.say("sending every example of the document as it is")
    statuses = [status for found in send_examples(document, api).values() for status in found]
    succeeded = sum(status < 400 for status in statuses)
    holds = succeeded == len(statuses) > 0
    claims.hold("every example succeeds", holds=holds, examples=len(statuses), examples_succeeded=succeeded)


def by_python(document: dict[str, Any], bodies: dict[str, Any], stack: Stack, claims: Claims) -> None:
    """Generate with openapi-python-client, and submit each kind."""
    claims.say("generating a client with openapi-python-client")
    token = fetch_token(stack)
    with tempfile.TemporaryDirectory() as folder, python_client(document, Path(folder)) as client:
        warned = len(client.warnings)
        claims.hold("openapi-python-client has nothing to warn of", holds=warned == 0, python_warnings=warned)
        with client.connect(stack, token) as connection:
            answers = [
                client.call("submit_prediction", "submit", connection, body=client.make(MODELS[name], body))
                for name, body in bodies.items()
            ]
    submitted = sum(answer.status_code == 202 for answer in answers)
    claims.hold("its client submits each kind", holds=submitted == len(MODELS), python_submitted=submitted)


def by_typescript(document: dict[str, Any], bodies: list[Any], stack: Stack, claims: Claims) -> None:
    """Generate with openapi-typescript, compile strictly, and submit each kind."""
    claims.say("generating types with openapi-typescript, and compiling a program with them")
    with tempfile.TemporaryDirectory() as folder:
        warned = len(typescript_types(document, Path(folder)))
        claims.hold("openapi-typescript has nothing to warn of", holds=warned == 0, typescript_warnings=warned)
        answers = typescript_submits(Path(folder), stack, fetch_token(stack), bodies)
    submitted = sum(answer["status"] == 202 for answer in answers)
    claims.hold("its client submits each kind", holds=submitted == len(MODELS), typescript_submitted=submitted)


if __name__ == "__main__":
    typer.run(main)
