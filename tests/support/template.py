"""`template.yaml` for tests: as written, as SAM translates it, and its storage in a mocked account."""

from __future__ import annotations

import copy
import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cfnlint.decode
from samtranslator.translator.transform import transform

if TYPE_CHECKING:
    import boto3

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "template.yaml"
MONITORING = ROOT / "infra" / "monitoring.yaml"
STORAGE_TYPES = {"AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::SQS::Queue"}
STORAGE_OUTPUTS = (
    "TasksTableName",
    "DataBucketName",
    "HighQueueUrl",
    "NormalQueueUrl",
    "HighDeadLetterQueueUrl",
    "NormalDeadLetterQueueUrl",
    "BatchesQueueUrl",
    "BatchesDeadLetterQueueUrl",
    "WebhooksTableName",
    "WebhooksQueueUrl",
    "WebhooksDeadLetterQueueUrl",
    "CursorSecretName",
)


def load(path: Path = TEMPLATE) -> dict[str, Any]:
    """Return a fresh copy of a template with its intrinsics in their long form."""
    return copy.deepcopy(_decoded(path))


def translated(template: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return plain CloudFormation, as SAM makes it of a template (ours by default)."""
    source = load() if template is None else copy.deepcopy(template)
    for resource in source["Resources"].values():
        properties = resource.setdefault("Properties", {})
        # What `sam package` would have filled in after the upload.
        for key in ("CodeUri", "ContentUri", "Location"):
            if isinstance(properties.get(key), str):
                properties[key] = "https://bucket.s3.amazonaws.com/key" if key == "Location" else "s3://bucket/key"
        if properties.get("PackageType") == "Image":
            properties["ImageUri"] = "123456789012.dkr.ecr.us-east-1.amazonaws.com/matchcast:tag"
    result: dict[str, Any] = transform(source, {}, _NoManagedPolicies())
    return result


def deploy_storage(session: boto3.session.Session, stack_name: str = "matchcast-test") -> dict[str, str]:
    """Create the table, bucket, queues and secret of the template; return the outputs that name them.

    Call it inside `moto.mock_aws()`. What moto's CloudFormation lacks (secrets, the bucket's versioning, the table's
    time to live) is created from the same properties by its API.
    """
    template = load()
    resources = template["Resources"]
    named = [name for name in STORAGE_OUTPUTS if name != "CursorSecretName"]
    subset = {
        "AWSTemplateFormatVersion": template["AWSTemplateFormatVersion"],
        "Parameters": template["Parameters"],
        "Conditions": template["Conditions"],
        "Resources": {name: body for name, body in resources.items() if body["Type"] in STORAGE_TYPES},
        "Outputs": {name: template["Outputs"][name] for name in named},
    }
    cloudformation = session.client("cloudformation")
    cloudformation.create_stack(StackName=stack_name, TemplateBody=json.dumps(subset))
    described = cloudformation.describe_stacks(StackName=stack_name)["Stacks"][0]
    outputs = {item["OutputKey"]: item["OutputValue"] for item in described["Outputs"]}

    session.client("s3").put_bucket_versioning(
        Bucket=outputs["DataBucketName"],
        VersioningConfiguration=resources["DataBucket"]["Properties"]["VersioningConfiguration"],
    )
    session.client("dynamodb").update_time_to_live(
        TableName=outputs["TasksTableName"],
        TimeToLiveSpecification=resources["TasksTable"]["Properties"]["TimeToLiveSpecification"],
    )
    secrets = session.client("secretsmanager")
    password = secrets.get_random_password(**resources["CursorSecret"]["Properties"]["GenerateSecretString"])
    secret = secrets.create_secret(Name=f"{stack_name}-CursorSecret", SecretString=password["RandomPassword"])
    return {**outputs, "CursorSecretName": secret["ARN"]}


@functools.cache
def _decoded(path: Path) -> dict[str, Any]:
    template, problems = cfnlint.decode.decode(str(path))
    assert template is not None, problems
    # Plain dictionaries: cfn-lint's nodes carry positions that tests do not need.
    result: dict[str, Any] = json.loads(json.dumps(template))
    return result


class _NoManagedPolicies:
    """No role of the template uses a managed policy, so there is no list of them to load."""

    def load(self) -> dict[str, str]:
        return {}
