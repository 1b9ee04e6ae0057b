"""One laptop stack for all end-to-end tests, started with the real command, in a local folder of its own."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from matchcast_tools.laptop.denials import denials_in
from matchcast_tools.laptop.http_api import API_ID
from matchcast_tools.laptop.processes import group_members
from matchcast_tools.laptop.stack_file import laptop_stack
from matchcast_tools.stack.api_client import ApiClient
from matchcast_tools.stack.deployed import Stack
from matchcast_tools.stack.tokens import fetch_token
from tests.proofs.bench import REFRESH_SECONDS
from tests.support.connections import PROC, ConnectionWatch
from tests.support.laptop import Command

# A test's time holds that of the fixtures which it is first to ask for: the stack's start, the contract's requests.
HANGS_AFTER_SECONDS = 1200
SCOPES = ["predictions/read", "predictions/write"]
ADMITTED_PORTS: set[int] = set()
"""Ports of this machine that functions may call beside the engine's: those of receivers of callbacks."""
_ready: list[str] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.timeout(HANGS_AFTER_SECONDS))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how long the stack took to be ready."""
    for line in _ready:
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def sample_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the trained sample league of this run is kept."""
    return tmp_path_factory.mktemp("sample") / "league"


@pytest.fixture(scope="session")
def laptop_command(tmp_path_factory: pytest.TempPathFactory, sample_folder: Path) -> Command:
    """Return the command whose local folder the shared stack is in."""
    return Command(tmp_path_factory.mktemp("laptop"), sample_folder)


@pytest.fixture
def command(tmp_path: Path, sample_folder: Path) -> Iterator[Command]:
    """Return the command with an empty local folder; whatever it leaves running is stopped."""
    command = Command(tmp_path / "local", sample_folder)
    yield command
    if command.engine:
        command.run("down")


@pytest.fixture(scope="session")
def laptop(laptop_command: Command, sample_folder: Path) -> Iterator[dict[str, Any]]:
    """Return the `stack.json` of a running stack with the sample league; at the end nothing is left of it."""
    command = laptop_command
    watch = ConnectionWatch("MATCHCAST_LOCAL", str(command.local))
    watch.start()
    trained_before = sample_folder.exists()
    started = time.monotonic()
    # Releases are looked for every second, so that tests of releases need not wait.
    options = (f"ModelRefreshSeconds={REFRESH_SECONDS}", "LoopbackCallbacks=true")
    up = command.run("up", "--detach", "--json", *(word for option in options for word in ("--set", option)))
    try:
        assert up.returncode == 0, up.stderr
        how = "trained before" if trained_before else "trained meanwhile"
        _ready.append(f"laptop stack ready in {time.monotonic() - started:.1f} s, its sample league {how}")
        content = json.loads(up.stdout)
        yield content
    finally:
        engine = command.engine
        down = command.run("down")
        watch.stop()
    assert down.returncode == 0, down.stderr
    assert engine is not None
    _check(watch, engine["port"], (command.local / "engine.log").read_text(errors="replace"))
    assert group_members(engine["pid"]) == []
    assert not command.stack_file.exists()
    assert not (command.local / "engine").exists()


def _check(watch: ConnectionWatch, port: int, log: str) -> None:
    """Check that all connections of the stack's processes were those to the engine, and that no role was denied."""
    admitted = {port, *ADMITTED_PORTS}
    outside = [each for each in watch.seen if not any(each.belongs_to(number) for number in admitted)]
    _ready.append(f"{len(watch.seen)} connections of {len(watch.processes)} processes, {len(outside)} not the engine's")
    assert not outside
    assert watch.seen or not PROC.exists()
    assert denials_in(log) == []


@pytest.fixture(scope="session")
def stack(laptop: dict[str, Any]) -> Stack:
    """Return the running stack as the tools know it."""
    return laptop_stack(laptop["port"], laptop["outputs"])


@pytest.fixture(scope="session")
def token(laptop: dict[str, Any]) -> str:
    """Return a token with both scopes."""
    return str(laptop["token"])


@pytest.fixture(scope="session")
def read_only_token(stack: Stack) -> str:
    """Return a token that may not write."""
    return fetch_token(stack, ["predictions/read"])


@pytest.fixture(scope="session")
def make_tenant(stack: Stack) -> Callable[[str], str]:
    """Return a function that makes another app client, and so another tenant, and gives a token of it."""

    def make(name: str) -> str:
        made = stack.client("cognito-idp").create_user_pool_client(
            UserPoolId=stack.output("UserPoolId"),
            ClientName=name,
            GenerateSecret=True,
            AllowedOAuthFlowsUserPoolClient=True,
            AllowedOAuthFlows=["client_credentials"],
            AllowedOAuthScopes=SCOPES,
        )
        client_id = made["UserPoolClient"]["ClientId"]
        admit(stack, client_id)
        return fetch_token(stack, client_id=client_id)

    return make


def admit(stack: Stack, client_id: str) -> None:
    """Let the API take a client's tokens, as a deployment with the client in `JwtAudience` does."""
    gateway = stack.client("apigatewayv2")
    (authorizer,) = gateway.get_authorizers(ApiId=API_ID)["Items"]
    configuration = authorizer["JwtConfiguration"]
    configuration["Audience"] = [*configuration["Audience"], client_id]
    gateway.update_authorizer(ApiId=API_ID, AuthorizerId=authorizer["AuthorizerId"], JwtConfiguration=configuration)


@pytest.fixture(scope="session")
def other_tenant_token(make_tenant: Callable[[str], str]) -> str:
    """Return a token of another tenant."""
    return make_tenant("another tenant")


@pytest.fixture(scope="session")
def client_with(stack: Stack) -> Callable[[str | None], ApiClient]:
    """Return a function that gives an HTTP client which sends a token, or none."""
    return lambda token: ApiClient(stack.api_url, stack.host_header, token)


@pytest.fixture(scope="session")
def api(client_with: Callable[[str | None], ApiClient], token: str) -> ApiClient:
    """Return an HTTP client that may read and write."""
    return client_with(token)
