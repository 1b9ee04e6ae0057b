"""A deployed stack: its outputs, its API's address, and clients of its AWS services."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from matchcast_tools.errors import EnvironmentProblem
from matchcast_tools.stack.sessions import Session

STACK_NAME_VARIABLE = "MATCHCAST_STACK_NAME"
"""Names a CloudFormation stack on AWS; without it the tools use the laptop stack."""


@dataclass(frozen=True, slots=True)
class Stack:
    """A deployed stack, on the laptop or on AWS.

    Attributes
    ----------
    api_url, host_header
        Where the API is; a local engine selects the API by the Host header, AWS needs none.
    outputs
        The outputs of the template, by name.
    """

    name: str
    region: str
    api_url: str
    host_header: str | None
    outputs: dict[str, str]
    session: Session

    @property
    def browser_url(self) -> str:
        """Return the API's address for clients that resolve *.localhost by themselves, as curl and browsers do."""
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
