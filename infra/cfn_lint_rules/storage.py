"""Rules E9021 to E9023: what is stored is encrypted, private, reached by TLS only, and outlives a mistake."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cfn_lint_rules import _rule as base

PRIVATE = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
# The type of a resource, of the policy that guards it, and the policy's property that names what it guards.
GUARDED = {
    "AWS::S3::Bucket": ("AWS::S3::BucketPolicy", "Bucket"),
    "AWS::SQS::Queue": ("AWS::SQS::QueuePolicy", "Queues"),
    "AWS::SNS::Topic": ("AWS::SNS::TopicPolicy", "Topics"),
}


class PlainHttpIsRefused(base.Rule):
    """Every bucket, queue and topic has a policy that denies requests without TLS."""

    id = "E9021"
    shortdesc = "Plain HTTP is refused"
    description = "AWS answers plain HTTP too, unless a policy denies it"

    def problems(self, template: base.Template) -> Iterator[base.Problem]:
        """Yield buckets, queues and topics without a policy that denies plain HTTP."""
        guarded = {
            base.resource_of(target)
            for policy_type, names in GUARDED.values()
            for policy in base.of_type(template, policy_type).values()
            if any(map(denies_plain_http, policy["PolicyDocument"]["Statement"]))
            for target in base.as_list(policy[names])
        }
        for kind in GUARDED:
            for name in base.of_type(template, kind):
                if name not in guarded:
                    yield ["Resources", name], f"{name} takes plain HTTP; deny it by aws:SecureTransport in its policy"


class StorageIsEncrypted(base.Rule):
    """Buckets, queues and topics are encrypted, by a key that those who write can use."""

    id = "E9022"
    shortdesc = "Storage is encrypted"
    description = "What is at rest is encrypted; alarms to a topic under alias/aws/sns would be lost"

    def problems(self, template: base.Template) -> Iterator[base.Problem]:
        """Yield buckets, queues and topics without encryption, or with a key that their writers cannot use."""
        for name, bucket in base.of_type(template, "AWS::S3::Bucket").items():
            if not bucket.get("BucketEncryption"):
                yield ["Resources", name], f"{name} has no BucketEncryption"
        for name, queue in base.of_type(template, "AWS::SQS::Queue").items():
            if queue.get("SqsManagedSseEnabled") is not True and not queue.get("KmsMasterKeyId"):
                yield ["Resources", name], f"{name} has neither SqsManagedSseEnabled nor a key"
        for name, topic in base.of_type(template, "AWS::SNS::Topic").items():
            key = topic.get("KmsMasterKeyId")
            if key is None:
                yield ["Resources", name], f"{name} has no KmsMasterKeyId"
            elif "alias/aws/sns" in str(key):
                yield ["Resources", name], f"{name}: CloudWatch alarms may not use alias/aws/sns; they would be lost"


class DataSurvives(base.Rule):
    """Buckets are private and versioned, tables can be restored, and neither goes with the stack."""

    id = "E9023"
    shortdesc = "Data survives"
    description = "A deleted stack, an overwritten object or a wrong write must not be the end of the data"

    def problems(self, template: base.Template) -> Iterator[base.Problem]:
        """Yield buckets and tables that are public, overwritten without a copy, or deleted with the stack."""
        buckets = base.of_type(template, "AWS::S3::Bucket")
        tables = base.of_type(template, "AWS::DynamoDB::Table")
        for name, bucket in buckets.items():
            if not all(bucket.get("PublicAccessBlockConfiguration", {}).get(block) is True for block in PRIVATE):
                yield ["Resources", name], f"{name} does not block public access ({', '.join(PRIVATE)})"
            if bucket.get("VersioningConfiguration", {}).get("Status") != "Enabled":
                yield ["Resources", name], f"{name} has no versions: what is overwritten is gone"
        for name, table in tables.items():
            if table.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled") is not True:
                yield ["Resources", name], f"{name} has no point-in-time recovery"
        for name in (*buckets, *tables):
            for policy in ("DeletionPolicy", "UpdateReplacePolicy"):
                if template["Resources"][name].get(policy) != "Retain":
                    yield ["Resources", name], f"{name} needs {policy}: Retain"


def denies_plain_http(statement: dict[str, Any]) -> bool:
    """Tell whether a statement denies everybody everything (of a topic: to publish) without TLS."""
    return (
        statement["Effect"] == "Deny"
        and statement["Principal"] in ("*", {"AWS": "*"})
        and statement["Action"] in ("s3:*", "sqs:*", "sns:Publish")
        and str(statement.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport")).lower() == "false"
    )
