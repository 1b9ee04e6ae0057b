"""Sessions: clients of AWS services, on AWS or on the laptop's engine."""

from __future__ import annotations

from typing import Any, Protocol, cast

LAPTOP_REGION = "us-east-1"
READ_SECONDS = 5
"""How long a command waits for an answer of a stack that is up; an engine on loopback answers in milliseconds."""
ATTEMPTS = 2


class Session(Protocol):
    """The part of a boto3 session that the tools use; `localstack_client`'s session has it too."""

    def client(self, service_name: str, **options: Any) -> Any:
        """Return a client of an AWS service; `options` are those of boto3, such as `config`."""


class BriefSession:
    """A session whose clients give up soon: an engine that hangs does not answer the fifth attempt either.

    A client's own `config` comes first, for calls that take longer.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def client(self, service_name: str, **options: Any) -> Any:
        """Return a client of an AWS service."""
        from botocore.config import Config

        brief = Config(connect_timeout=2, read_timeout=READ_SECONDS, retries={"total_max_attempts": ATTEMPTS})
        own = options.pop("config", None)
        return self._session.client(service_name, config=brief.merge(own) if own else brief, **options)


def laptop_session(port: int) -> Session:
    """Return a session whose clients connect to a local engine (MiniStack, LocalStack, ...) on `port`."""
    from localstack_client.session import Session as LocalSession

    session = LocalSession(
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - the root key of local engines
        region_name=LAPTOP_REGION,
        localstack_host=f"127.0.0.1:{port}",
    )
    return cast("Session", session)
