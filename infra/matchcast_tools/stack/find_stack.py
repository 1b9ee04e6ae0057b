"""Find the stack that a command works with."""

from __future__ import annotations

import os
from typing import cast

from matchcast_tools.errors import EnvironmentProblem
from matchcast_tools.laptop.stack_file import running_stack
from matchcast_tools.stack.deployed import STACK_NAME_VARIABLE, Stack
from matchcast_tools.stack.sessions import Session


def find_stack() -> Stack:
    """Return the stack that `MATCHCAST_STACK_NAME` names on AWS, or else the running laptop stack.

    Raises
    ------
    EnvironmentProblem
        If there is neither.
    """
    name = os.environ.get(STACK_NAME_VARIABLE)
    return aws_stack(name) if name else running_stack()


def aws_stack(name: str) -> Stack:
    """Return a stack that is deployed on AWS, by the ambient credentials and Region.

    Raises
    ------
    EnvironmentProblem
        If the credentials, the Region or the stack are missing.
    """
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        session = boto3.session.Session()
        described = session.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    except (BotoCoreError, ClientError, ValueError) as error:
        raise EnvironmentProblem(
            f"The stack {name} cannot be described ({error}). Check the credentials, AWS_PROFILE, AWS_REGION and "
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
