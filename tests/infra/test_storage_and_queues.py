"""Storage and queues: what is special to each; the project's cfn-lint rules check what holds for all."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from moto import mock_aws

from matchcast.domain.batch import MOST_BYTES, BatchStatus
from matchcast.domain.task import TaskStatus
from tests.support.template import STORAGE_OUTPUTS, deploy_storage

LANES = ("High", "Normal")
QUEUES = (*LANES, "Batches", "Webhooks")


def properties(template: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = template["Resources"][name]["Properties"]
    return found


def test_the_table_is_paid_by_request_and_removes_expired_tasks(template: dict[str, Any]) -> None:
    table = properties(template, "TasksTable")
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}


def test_the_tenant_index_holds_only_what_never_changes(template: dict[str, Any]) -> None:
    # The keys of table and index are used by the contract tests of the adapter, on a table made from this template.
    index = properties(template, "TasksTable")["GlobalSecondaryIndexes"][0]
    assert index["Projection"] == {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["match_id", "created_at"]}


def test_nothing_else_in_the_bucket_expires_but_old_versions(template: dict[str, Any]) -> None:
    [rule, *_] = properties(template, "DataBucket")["LifecycleConfiguration"]["Rules"]
    assert "Prefix" not in rule
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    # What is deleted leaves a marker, which has to be removed as well.
    assert rule["ExpiredObjectDeleteMarker"] is True
    # Manifests and what they name stay until they are overwritten.
    assert "ExpirationInDays" not in rule


def test_files_of_batches_expire_when_no_batch_can_be_readable_any_more(template: dict[str, Any]) -> None:
    # GIVEN
    _, *of_batches = properties(template, "DataBucket")["LifecycleConfiguration"]["Rules"]
    # WHEN
    # A batch is readable for as long as a task at most: whole days round up, and a file is older than its batch.
    lifetime_days = template["Parameters"]["TaskLifetimeSeconds"]["MaxValue"] / 86_400
    # THEN
    assert {rule["Prefix"] for rule in of_batches} == {"input/", "batches/"}
    assert all(rule["ExpirationInDays"] >= lifetime_days + 1 for rule in of_batches)
    assert all(rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1} for rule in of_batches)


def test_every_dead_letter_outlives_the_stack_but_not_its_failed_creation(template: dict[str, Any]) -> None:
    for lane in QUEUES:
        queue = template["Resources"][f"{lane}DeadLetterQueue"]
        assert (queue["DeletionPolicy"], queue["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")


@pytest.mark.parametrize("lane", QUEUES)
def test_a_queue_dead_letters_a_message_itself_only_as_a_backstop(lane: str, template: dict[str, Any]) -> None:
    queue = properties(template, f"{lane}Queue")
    assert queue["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": [f"{lane}DeadLetterQueue", "Arn"]},
        "maxReceiveCount": 20,
    }
    assert queue["MessageRetentionPeriod"] == (10 if lane == "Webhooks" else 4) * 86_400
    assert properties(template, f"{lane}DeadLetterQueue")["MessageRetentionPeriod"] == 14 * 86_400


@pytest.mark.parametrize("lane", QUEUES)
def test_each_queue_has_its_own_dead_letters(lane: str, template: dict[str, Any]) -> None:
    allowed = properties(template, f"{lane}DeadLetterQueue")["RedriveAllowPolicy"]
    name = properties(template, f"{lane}Queue")["QueueName"]["Fn::Sub"]
    arn = f"arn:${{AWS::Partition}}:sqs:${{AWS::Region}}:${{AWS::AccountId}}:{name}"
    assert allowed == {"redrivePermission": "byQueue", "sourceQueueArns": [{"Fn::Sub": arn}]}


@pytest.mark.parametrize("lane", LANES)
def test_a_lane_is_received_as_its_parameters_say(lane: str, plain: dict[str, Any]) -> None:
    mapping = properties(plain, f"RunInferenceFunction{lane}Lane")
    assert mapping["EventSourceArn"] == {"Fn::GetAtt": [f"{lane}Queue", "Arn"]}
    assert mapping["BatchSize"] == {"Ref": f"{lane}BatchSize"}
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": {"Ref": f"{lane}MaximumConcurrency"}}


def test_messages_of_batches_are_received_one_by_one(plain: dict[str, Any]) -> None:
    mapping = properties(plain, "SplitBatchFunctionBatches")
    assert mapping["EventSourceArn"] == {"Fn::GetAtt": ["BatchesQueue", "Arn"]}
    assert (mapping["BatchSize"], mapping["MaximumBatchingWindowInSeconds"]) == (1, 0)
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": {"Ref": "BatchesMaximumConcurrency"}}


def test_final_states_with_a_callback_alone_leave_the_stream_and_none_blocks_it(plain: dict[str, Any]) -> None:
    # GIVEN
    mapping = properties(plain, "DeliverWebhooksFunctionFinalStates")
    # WHEN
    [filter_] = mapping["FilterCriteria"]["Filters"]
    pattern = json.loads(filter_["Pattern"])
    # THEN
    assert mapping["EventSourceArn"] == {"Fn::GetAtt": ["TasksTable", "StreamArn"]}
    # Lambda promises to filter by this key alone; a deletion has no new image.
    assert list(pattern) == ["dynamodb"]
    assert properties(plain, "TasksTable")["StreamSpecification"] == {"StreamViewType": "NEW_IMAGE"}
    image = pattern["dynamodb"]["NewImage"]
    assert image["callback_url"] == {"S": [{"exists": True}]}
    final = {status for kind in (TaskStatus, BatchStatus) for status in kind if status.is_final}
    assert set(image["status"]["S"]) == final
    # AND what ends the function is isolated, given up in the end, and noted
    assert mapping["BisectBatchOnFunctionError"] is True
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    # AND an outage of the queue may last as long as the stream keeps records
    assert mapping["MaximumRetryAttempts"] == 10_000
    dead_letters = {"Fn::GetAtt": ["WebhooksDeadLetterQueue", "Arn"]}
    assert mapping["DestinationConfig"] == {"OnFailure": {"Destination": dead_letters}}


def test_ten_events_at_once_are_delivered_as_the_parameter_says(plain: dict[str, Any]) -> None:
    mapping = properties(plain, "DeliverWebhooksFunctionDeliveries")
    assert mapping["EventSourceArn"] == {"Fn::GetAtt": ["WebhooksQueue", "Arn"]}
    assert (mapping["BatchSize"], mapping["MaximumBatchingWindowInSeconds"]) == (10, 0)
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": {"Ref": "WebhooksMaximumConcurrency"}}


def test_a_signing_secret_is_encrypted_and_decrypted_for_its_tenant_alone(plain: dict[str, Any]) -> None:
    # GIVEN
    of_a_secret = {"StringLike": {"kms:EncryptionContext:tenant": "?*", "kms:EncryptionContext:secret_id": "?*"}}
    uses: dict[str, Any] = {}
    # WHEN
    for name, item in plain["Resources"].items():
        for policy in item.get("Properties", {}).get("Policies", []) if item["Type"] == "AWS::IAM::Role" else []:
            for statement in policy["PolicyDocument"]["Statement"]:
                if "kms:" in json.dumps(statement["Action"]):
                    uses[name] = statement["Action"], statement["Condition"]
    # THEN one function makes secrets, another one reads them
    assert uses == {
        "ManageWebhooksRole": ("kms:Encrypt", of_a_secret),
        "DeliverWebhooksRole": ("kms:Decrypt", of_a_secret),
    }
    assert properties(plain, "WebhookSecretsKey")["EnableKeyRotation"] is True


def test_who_accepts_callbacks_reads_no_events(plain: dict[str, Any]) -> None:
    for name in ("SubmitPredictionRole", "ManageBatchesRole"):
        [policy] = properties(plain, name)["Policies"]
        [check] = [one for one in policy["PolicyDocument"]["Statement"] if one["Sid"] == "SeekLiveSecrets"]
        assert check["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["tenant#*"]}}


def test_an_input_and_what_is_made_of_it_fit_on_the_disk(plain: dict[str, Any]) -> None:
    disk = properties(plain, "SplitBatchFunction")["EphemeralStorage"]["Size"] * 1024**2
    assert disk > 3 * MOST_BYTES


def test_pages_of_named_origins_alone_upload_and_download(plain: dict[str, Any]) -> None:
    condition, rules, otherwise = properties(plain, "DataBucket")["CorsConfiguration"]["Fn::If"]
    assert (condition, otherwise) == ("HasCors", {"Ref": "AWS::NoValue"})
    [rule] = rules["CorsRules"]
    assert rule["AllowedOrigins"] == {"Ref": "CorsAllowOrigins"}
    assert set(rule["AllowedMethods"]) == {"GET", "HEAD", "POST"}


@pytest.mark.parametrize("lane", LANES)
def test_a_batch_over_ten_always_has_the_window_that_sqs_asks_for(lane: str, plain: dict[str, Any]) -> None:
    may_be_large = plain["Parameters"][f"{lane}BatchSize"]["MaxValue"] > 10
    window = properties(plain, f"RunInferenceFunction{lane}Lane")["MaximumBatchingWindowInSeconds"]
    assert window == (1 if may_be_large else 0)


def test_moto_makes_the_storage_of_the_template() -> None:
    with mock_aws():
        # WHEN
        session = boto3.session.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")
        names = deploy_storage(session)
        # THEN
        assert tuple(names) == STORAGE_OUTPUTS
        table = session.client("dynamodb").describe_table(TableName=names["TasksTableName"])["Table"]
        assert [key["AttributeName"] for key in table["KeySchema"]] == ["pk", "sk"]
        sqs = session.client("sqs")
        for lane in QUEUES:
            attributes = sqs.get_queue_attributes(QueueUrl=names[f"{lane}QueueUrl"], AttributeNames=["All"])
            assert "maxReceiveCount" in attributes["Attributes"]["RedrivePolicy"]
            assert attributes["Attributes"]["SqsManagedSseEnabled"] == "true"
        versioning = session.client("s3").get_bucket_versioning(Bucket=names["DataBucketName"])
        assert versioning["Status"] == "Enabled"
        secret = session.client("secretsmanager").get_secret_value(SecretId=names["CursorSecretName"])
        assert len(secret["SecretString"]) == 64
