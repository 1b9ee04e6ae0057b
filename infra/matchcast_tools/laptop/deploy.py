"""Deploy the template to a running local engine: the artifacts bucket, the CloudFormation stack, its outputs.

A stack that the engine has restored is updated, as on AWS: resources and what they hold stay, functions get the
present code. A tag tells whether there is anything to update.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from matchcast_tools.errors import BadInput, EnvironmentProblem
from matchcast_tools.laptop.stack_file import STACK_NAME, laptop_stack
from matchcast_tools.laptop.template import LocalTemplate
from matchcast_tools.stack.deployed import Stack
from matchcast_tools.stack.sessions import Session, laptop_session

ARTIFACTS_BUCKET = "matchcast-artifacts"
DEPLOY_SECONDS = 60.0
DIGEST_TAG = "matchcast-digest"
COMPLETE = ("CREATE_COMPLETE", "UPDATE_COMPLETE")


def deploy(template: LocalTemplate, port: int) -> tuple[Stack, dict[str, str]]:
    """Deploy a translated template to the engine on `port`; return the stack and its resources' physical names.

    Raises
    ------
    BadInput
        If the engine refuses the template.
    EnvironmentProblem
        If a resource could not be created; the message names it and gives the engine's reason.
    """
    from botocore.exceptions import ClientError

    session = laptop_session(port)
    cloudformation = session.client("cloudformation")
    digest = template.digest
    present = find(cloudformation)
    if present is None or tags_of(present).get(DIGEST_TAG) != digest:
        upload(session, template)
        change = cloudformation.create_stack if present is None else cloudformation.update_stack
        try:
            change(
                StackName=STACK_NAME,
                TemplateURL=f"https://s3.amazonaws.com/{ARTIFACTS_BUCKET}/template.json",
                Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
                Tags=[{"Key": DIGEST_TAG, "Value": digest}],
                **({"OnFailure": "DO_NOTHING"} if present is None else {}),
            )
        except ClientError as error:
            # Such as a rule of the template on which parameters go together.
            reason = error.response["Error"].get("Message", error)
            raise BadInput(f"The engine refuses the template with these parameters: {reason}") from error
        present = wait_for_stack(cloudformation, STACK_NAME)
    names = physical_names(cloudformation)
    switch_on_time_to_live(session, template.time_to_live, names)
    outputs = {item["OutputKey"]: item["OutputValue"] for item in present.get("Outputs", [])}
    return laptop_stack(port, outputs), names


def find(cloudformation: Any) -> dict[str, Any] | None:
    """Return the description of the stack, or None if it is not deployed."""
    from botocore.exceptions import ClientError

    try:
        described: dict[str, Any] = cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    return described


def tags_of(described: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags of a stack."""
    return {tag["Key"]: tag["Value"] for tag in described.get("Tags", [])}


def upload(session: Session, template: LocalTemplate) -> None:
    """Put the template and the objects that it refers to into the artifacts bucket."""
    s3 = session.client("s3")
    s3.create_bucket(Bucket=ARTIFACTS_BUCKET)  # no error in us-east-1 if it is there
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
        if status in COMPLETE:
            return described
        if not status.endswith("_IN_PROGRESS"):
            break
        time.sleep(0.05)
    reasons = failures(cloudformation, name) or ["no resource says why"]
    raise EnvironmentProblem(
        f"The stack {name} could not be deployed to the local engine ({described['StackStatus']}):\n"
        + "\n".join(f"  {reason}" for reason in reasons)
        + "\nAdapt what the engine cannot do in infra/matchcast_tools/laptop/adaptations.py. If it only cannot be "
        "changed, start a new stack: `matchcast up --new`."
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
        described = dynamodb.describe_time_to_live(TableName=names[logical_id])["TimeToLiveDescription"]
        if described["TimeToLiveStatus"] == "ENABLED":
            continue
        dynamodb.update_time_to_live(
            TableName=names[logical_id],
            TimeToLiveSpecification={"Enabled": True, "AttributeName": attribute},
        )
