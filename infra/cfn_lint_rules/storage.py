"""Rules E9021 to E9023: stored data is encrypted, private, reached by TLS only, and survives a mistake."""

from __future__ import annotations

from typing import Any

from cfn_lint_rules import _rule as base

PRIVATE = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
# The type of a resource, the type of the policy that guards it, and the policy's property that names the resource.
GUARDED = {
    "AWS::S3::Bucket": ("AWS::S3::BucketPolicy", "Bucket"),
    "AWS::SQS::Queue": ("AWS::SQS::QueuePolicy", "Queues"),
    "AWS::SNS::Topic": ("AWS::SNS::TopicPolicy", "Topics"),
}
# What a creation that fails has just made is empty; kept, it would have to be looked for and deleted by hand.
KEPT = {"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain"}
ENCRYPTION = {
    "AWS::S3::Bucket": ["BucketEncryption"],
    "AWS::SQS::Queue": ["SqsManagedSseEnabled", "KmsMasterKeyId"],
    "AWS::SNS::Topic": ["KmsMasterKeyId"],
}


@base.rule(
    "E9021",
    "Every bucket, queue and topic has a policy that denies requests without TLS",
    "AWS answers plain HTTP too, unless a policy denies it",
)
def plain_http_is_refused(template: base.Template) -> base.Problems:
    """Yield buckets, queues and topics without a policy that denies plain HTTP."""
    for kind, (policy_type, names) in GUARDED.items():
        guarded = {
            base.resource_of(target)
            for policy in base.of_type(template, policy_type).values()
            if any(map(denies_plain_http, policy["PolicyDocument"]["Statement"]))
            for target in base.as_list(policy[names])
        }
        for name in base.of_type(template, kind):
            if name not in guarded:
                yield name, f"{name} accepts plain HTTP; deny it by aws:SecureTransport in its policy"


@base.rule(
    "E9022",
    "Buckets, queues and topics are encrypted, with a key that their writers can use",
    "Data at rest is encrypted; alarms to a topic under alias/aws/sns would be lost",
)
def storage_is_encrypted(template: base.Template) -> base.Problems:
    """Yield buckets, queues and topics without encryption, or with a key that their writers cannot use."""
    for kind, ways in ENCRYPTION.items():
        for name, properties in base.of_type(template, kind).items():
            if not any(properties.get(way) for way in ways):
                yield name, f"{name} is not encrypted; it has no {' or '.join(ways)}"
            elif "alias/aws/sns" in str(properties.get("KmsMasterKeyId")):
                yield name, f"{name}: CloudWatch alarms may not use alias/aws/sns; they would be lost"


@base.rule(
    "E9023",
    "Buckets are private and versioned, tables can be restored, and neither is deleted with the stack",
    "A deleted stack, an overwritten object or a wrong write must not destroy the data",
)
def data_survives(template: base.Template) -> base.Problems:
    """Yield buckets and tables that are public, overwritten without a copy, or deleted with the stack."""
    buckets = base.of_type(template, "AWS::S3::Bucket")
    tables = base.of_type(template, "AWS::DynamoDB::Table")
    for name, bucket in buckets.items():
        if not all(bucket.get("PublicAccessBlockConfiguration", {}).get(block) is True for block in PRIVATE):
            yield name, f"{name} does not block public access ({', '.join(PRIVATE)})"
        if bucket.get("VersioningConfiguration", {}).get("Status") != "Enabled":
            yield name, f"{name} has no versions: overwritten objects are lost"
    for name, table in tables.items():
        if table.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled") is not True:
            yield name, f"{name} has no point-in-time recovery"
    for name in (*buckets, *tables):
        for policy, kept in KEPT.items():
            if template["Resources"][name].get(policy) != kept:
                yield name, f"{name} needs {policy}: {kept}"


def denies_plain_http(statement: dict[str, Any]) -> bool:
    """Return whether a statement denies everybody everything (of a topic: to publish) without TLS."""
    return (
        statement["Effect"] == "Deny"
        and statement["Principal"] in ("*", {"AWS": "*"})
        and statement["Action"] in ("s3:*", "sqs:*", "sns:Publish")
        and str(statement.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport")).lower() == "false"
    )
