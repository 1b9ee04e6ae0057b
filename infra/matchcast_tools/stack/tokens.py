"""Access tokens of a stack's user pool, by client credentials."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

from matchcast_tools.errors import BadInput, EnvironmentProblem
from matchcast_tools.stack.deployed import Stack


def fetch_token(stack: Stack, scopes: Sequence[str] = (), client_id: str | None = None) -> str:
    """Return an access token of an app client, by default the stack's own; no scopes ask for all of the client's.

    Raises
    ------
    BadInput
        If the pool has no such client, or the client may not have these scopes.
    EnvironmentProblem
        If the token endpoint cannot be reached.
    """
    import urllib3

    client_id = client_id or stack.output("UserPoolClientId")
    endpoint, headers = stack.output("TokenUrl"), {"Content-Type": "application/x-www-form-urlencoded"}
    if stack.host_header is not None:
        # The local engine serves every host on one port, and selects by the Host header.
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
    content = _parse(answer.data)
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


def _parse(body: bytes) -> dict[str, Any]:
    """Return a JSON object; any other body counts as an empty one."""
    try:
        content = json.loads(body)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
