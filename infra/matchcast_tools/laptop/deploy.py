"""Deploy the template to a running local engine: the artifacts bucket, the CloudFormation stack, its outputs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from matchcast_tools.errors import EnvironmentProblem
from matchcast_tools.laptop.stack_file import STACK_NAME, laptop_stack
from matchcast_tools.laptop.template import LocalTemplate
from matchcast_tools.stack.deployed import Stack
from matchcast_tools.stack.sessions import Session, laptop_session

ARTIFACTS_BUCKET = "matchcast-artifacts"
DEPLOY_SECONDS = 60.0


def deploy(template: LocalTemplate, port: int) -> tuple[Stack, dict[str, str]]:
    """Deploy a translated template to the engine on `port`; return the stack and its resources' physical names.

    Raises
    ------
    EnvironmentProblem
        If a resource could not be created; the message names it and gives the engine's reason.
    """
    session = laptop_session(port)
    upload(session, template)
    cloudformation = session.client("cloudformation")
    cloudformation.create_stack(
        StackName=STACK_NAME,
        TemplateURL=f"https://s3.amazonaws.com/{ARTIFACTS_BUCKET}/template.json",
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        OnFailure="DO_NOTHING",
    )
    described = wait_for_stack(cloudformation, STACK_NAME)
    names = physical_names(cloudformation)
    switch_on_time_to_live(session, template.time_to_live, names)
    outputs = {item["OutputKey"]: item["OutputValue"] for item in described.get("Outputs", [])}
    return laptop_stack(port, outputs), names


def upload(session: Session, template: LocalTemplate) -> None:
    """Put the template and the objects that it refers to into the artifacts bucket."""
    s3 = session.client("s3")
    s3.create_bucket(Bucket=ARTIFACTS_BUCKET)
    for key, body in {**template.objects, "template.json": template.body.encode()}.items():
        s3.put_object(Bucket=ARTIFACTS_BUCKET, Key=key, Body=body)


def wait_for_stack(cloudformation: Any, name: str, seconds: float = DEPLOY_SECONDS) -> dict[str, Any]:
    """Return a stack's description once it is complete.

    Raises
    ------
    EnvironmentProblem
        If it failed, or is not complete in time.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        described: dict[str, Any] = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        status = described["StackStatus"]
        if status == "CREATE_COMPLETE":
            return described
        if not status.endswith("_IN_PROGRESS"):
            break
        time.sleep(0.05)
    reasons = failures(cloudformation, name) or ["no resource says why"]
    raise EnvironmentProblem(
        f"The stack {name} could not be deployed to the local engine ({described['StackStatus']}):\n"
        + "\n".join(f"  {reason}" for reason in reasons)
        + "\nAdapt what the engine cannot do in infra/matchcast_tools/laptop/adaptations.py."
    )


def failures(cloudformation: Any, name: str) -> list[str]:
    """Return each failed resource of a stack with the engine's reason, first failure first."""
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=name)
    events = [event for page in pages for event in page["StackEvents"]]
    failed = [event for event in events if event["ResourceStatus"].endswith("FAILED")]
    return [
        f"{event['LogicalResourceId']} ({event['ResourceType']}): {event.get('ResourceStatusReason', 'no reason')}"
        for event in sorted(failed, key=lambda event: event["Timestamp"])
    ]


def physical_names(cloudformation: Any) -> dict[str, str]:
    """Return the physical id of each resource of the stack by its logical id."""
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=STACK_NAME)
    return {
        item["LogicalResourceId"]: item["PhysicalResourceId"]
        for page in pages
        for item in page["StackResourceSummaries"]
    }


def switch_on_time_to_live(session: Session, attributes: Mapping[str, str], names: Mapping[str, str]) -> None:
    """Switch on TTL, which the engine does not read from the template."""
    dynamodb = session.client("dynamodb")
    for logical_id, attribute in attributes.items():
        dynamodb.update_time_to_live(
            TableName=names[logical_id],
            TimeToLiveSpecification={"Enabled": True, "AttributeName": attribute},
        )
