"""A deployed stack, on the laptop or on AWS: its names, its tokens, and clients that reach it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast
from urllib.parse import urlencode, urlsplit

from matchcast_tools.errors import BadInput, EnvironmentProblem

ROOT = Path(__file__).resolve().parents[3]
LOCAL_VARIABLE = "MATCHCAST_LOCAL"
"""Names the folder of all local state; without it that is `.local` in the checkout."""
LOCAL = Path(os.environ.get(LOCAL_VARIABLE) or ROOT / ".local").resolve()
STACK_FILE = LOCAL / "stack.json"
STACK_NAME_VARIABLE = "MATCHCAST_STACK_NAME"
"""Names a CloudFormation stack on AWS; without it the tools talk to the laptop stack."""


class Session(Protocol):
    """The part of a boto3 session that the tools use; `localstack_client`'s session has it too."""

    def client(self, service_name: str, **options: Any) -> Any:
        """Return a client of an AWS service; `options` are those of boto3, such as `config`."""


@dataclass(frozen=True, slots=True)
class Stack:
    """What the outputs of the template say, and how to reach it."""

    name: str
    region: str
    api_url: str
    host_header: str | None
    outputs: dict[str, str]
    session: Session

    @property
    def browser_url(self) -> str:
        """Return the API's address for clients that find *.localhost by themselves, as curl and browsers do."""
        if self.host_header is None:
            return self.api_url
        return f"http://{self.host_header}:{urlsplit(self.api_url).port}"

    def client(self, service: str, **options: Any) -> Any:
        """Return a client of an AWS service in this stack's account and Region; `options` are those of boto3."""
        return self.session.client(service, **options)

    def output(self, name: str) -> str:
        """Return one output of the template.

        Raises
        ------
        EnvironmentProblem
            If the deployed template has no such output.
        """
        try:
            return self.outputs[name]
        except KeyError:
            raise EnvironmentProblem(
                f"The stack {self.name} has no output {name}; deploy the present template."
            ) from None

    def fetch_token(self, scopes: Sequence[str] = (), client_id: str | None = None) -> str:
        """Return an access token of an app client (the stack's own by default), by client credentials.

        Parameters
        ----------
        scopes
            The scopes to ask for; none asks for all that the client may have.
        client_id
            Another app client of the same user pool.

        Raises
        ------
        BadInput
            If the pool has no such client, or the client may not have these scopes.
        EnvironmentProblem
            If the token endpoint cannot be reached.
        """
        return fetch_token(self, scopes, client_id or self.output("UserPoolClientId"))


def laptop_session(port: int) -> Session:
    """Return a session whose clients speak to a local engine (MiniStack, LocalStack, ...) on `port`."""
    from localstack_client.session import Session as LocalSession

    session = LocalSession(
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - the root key of local engines
        region_name="us-east-1",
        localstack_host=f"127.0.0.1:{port}",
    )
    return cast("Session", session)


def find_stack() -> Stack:
    """Return the stack that `MATCHCAST_STACK_NAME` names on AWS, or else the running laptop stack.

    Raises
    ------
    EnvironmentProblem
        If there is neither.
    """
    name = os.environ.get(STACK_NAME_VARIABLE)
    return aws_stack(name) if name else local_stack()


def local_stack() -> Stack:
    """Return the laptop stack that `stack.json` describes.

    Raises
    ------
    EnvironmentProblem
        If no laptop stack is running; a `stack.json` that outlived its engine does not count.
    """
    from matchcast_tools.laptop.state import engine_is_running

    content = _read_json(STACK_FILE)
    if content is None or not engine_is_running(LOCAL):
        raise EnvironmentProblem(
            f"No laptop stack is running. Start one with `make up`, or name a stack on AWS in {STACK_NAME_VARIABLE}."
        )
    return described_stack(content)


def described_stack(content: dict[str, Any]) -> Stack:
    """Return the laptop stack that the content of a `stack.json` describes."""
    return Stack(
        name=content["stack_name"],
        region=content["region"],
        api_url=content["api_url"],
        host_header=content["host_header"],
        outputs=content["outputs"],
        session=laptop_session(content["port"]),
    )


def aws_stack(name: str) -> Stack:
    """Return a stack that is deployed on AWS, by the ambient credentials and Region.

    Raises
    ------
    EnvironmentProblem
        If the credentials, the Region or the stack are missing.
    """
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    session = boto3.session.Session()
    try:
        described = session.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    except (BotoCoreError, ClientError) as error:
        raise EnvironmentProblem(
            f"The stack {name} cannot be described ({error}). Check the credentials, AWS_REGION and "
            f"{STACK_NAME_VARIABLE}."
        ) from error
    outputs = {item["OutputKey"]: item["OutputValue"] for item in described.get("Outputs", [])}
    return Stack(
        name=name,
        region=session.region_name,
        api_url=outputs["ApiUrl"].rstrip("/"),
        host_header=None,
        outputs=outputs,
        session=cast("Session", session),
    )


def fetch_token(stack: Stack, scopes: Sequence[str], client_id: str) -> str:
    """Return an access token, see `Stack.fetch_token`."""
    import urllib3

    endpoint, headers = stack.output("TokenUrl"), {"Content-Type": "application/x-www-form-urlencoded"}
    if stack.host_header is not None:
        # The local engine answers for every host on one port, and tells them apart by the Host header.
        headers["Host"] = urlsplit(endpoint).netloc
        endpoint = f"{stack.api_url}{urlsplit(endpoint).path}"
    form = {"grant_type": "client_credentials"} | ({"scope": " ".join(scopes)} if scopes else {})
    headers |= urllib3.make_headers(basic_auth=f"{client_id}:{client_secret(stack, client_id)}")
    try:
        answer = urllib3.PoolManager(retries=False, timeout=10).request(
            "POST", endpoint, body=urlencode(form), headers=headers
        )
    except urllib3.exceptions.HTTPError as error:
        raise EnvironmentProblem(f"The token endpoint {endpoint} does not answer: {error}") from error
    content = _parse_json(answer.data)
    if answer.status != 200 or "access_token" not in content:
        raise BadInput(
            f"No token for client {client_id}: {content.get('error_description') or content.get('error')} "
            f"(status {answer.status}). Ask for scopes that the client has, for example predictions/read."
        )
    return str(content["access_token"])


def client_secret(stack: Stack, client_id: str) -> str:
    """Return the secret of an app client.

    Raises
    ------
    BadInput
        If the user pool has no such client.
    """
    from botocore.exceptions import ClientError

    pool = stack.output("UserPoolId")
    try:
        described = stack.client("cognito-idp").describe_user_pool_client(UserPoolId=pool, ClientId=client_id)
    except ClientError as error:
        raise BadInput(f"The user pool {pool} has no client {client_id}: {error}") from error
    return str(described["UserPoolClient"].get("ClientSecret", ""))


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        return _parse_json(path.read_bytes())
    except FileNotFoundError:
        return None


def _parse_json(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
