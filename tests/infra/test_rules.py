"""Each of the project's cfn-lint rules: silent on our templates, and loud on every fault that it is there for."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from typing import Any

import pytest

from cfn_lint_rules import _rule, alarms, apis, functions, queues, storage

Template = dict[str, Any]
RULES = [
    item
    for module in (alarms, apis, functions, queues, storage)
    for _, item in inspect.getmembers(module, inspect.isclass)
    if issubclass(item, _rule.Rule)
]


def of(template: Template, name: str) -> dict[str, Any]:
    found: dict[str, Any] = template["Resources"][name]["Properties"]
    return found


def change(name: str, **properties: Any) -> Callable[[Template], object]:
    return lambda template: of(template, name).update(properties)


def drop(name: str, key: str) -> Callable[[Template], object]:
    return lambda template: of(template, name).pop(key)


def state(name: str, **changes: Any) -> Callable[[Template], None]:
    """Change the first statement of a role's or a policy's document."""

    def apply(template: Template) -> None:
        properties = of(template, name)
        document = properties.get("PolicyDocument") or properties["Policies"][0]["PolicyDocument"]
        document["Statement"][0].update(changes)

    return apply


def stage(template: Template) -> dict[str, Any]:
    return of(template, "HttpApiApiGatewayDefaultStage")


def slow_worker(template: Template, **bounds: int) -> None:
    template["Parameters"]["InferenceTimeout"] = {"Type": "Number", "Default": 60, **bounds}
    of(template, "RunInferenceFunction")["Timeout"] = {"Ref": "InferenceTimeout"}


def add_policy(template: Template) -> None:
    template["Resources"]["More"] = {"Type": "AWS::IAM::ManagedPolicy"}


FAULTS: dict[str, tuple[type[_rule.Rule], Callable[[Template], object]]] = {
    "a wildcard action": (functions.roles_grant_least, state("TrackTasksRole", Action="dynamodb:*")),
    "a wildcard among actions": (
        functions.roles_grant_least,
        state("TrackTasksRole", Action=["dynamodb:GetItem", "dynamodb:Describe*"]),
    ),
    "a wildcard resource": (functions.roles_grant_least, state("TrackTasksRole", Resource="*")),
    "everything but": (functions.roles_grant_least, state("TrackTasksRole", NotAction="s3:*")),
    "a managed policy": (
        functions.roles_grant_least,
        change("TrackTasksRole", ManagedPolicyArns=["AdministratorAccess"]),
    ),
    "a policy outside a role": (functions.roles_grant_least, add_policy),
    "no dead letters": (queues.queues_have_dead_letters, drop("HighQueue", "RedrivePolicy")),
    "dead letters too early": (
        queues.queues_have_dead_letters,
        lambda t: of(t, "HighQueue")["RedrivePolicy"].update(maxReceiveCount=3),
    ),
    "dead letters for any queue": (queues.queues_have_dead_letters, drop("HighDeadLetterQueue", "RedriveAllowPolicy")),
    "dead letters forgotten first": (
        queues.dead_letters_live_longer,
        change("NormalDeadLetterQueue", MessageRetentionPeriod=345_600),
    ),
    "visible while processed": (queues.visibility_outlasts_workers, change("NormalQueue", VisibilityTimeout=360)),
    "a slower worker": (queues.visibility_outlasts_workers, lambda t: slow_worker(t, MaxValue=71)),
    "a timeout without bounds": (queues.visibility_outlasts_workers, slow_worker),
    "a longer window": (
        queues.visibility_outlasts_workers,
        change("RunInferenceFunctionNormalLane", MaximumBatchingWindowInSeconds=300),
    ),
    "all or nothing": (
        queues.receives_report_failures,
        drop("RunInferenceFunctionHighLane", "FunctionResponseTypes"),
    ),
    "full speed into the dead letters": (
        queues.receives_report_failures,
        drop("RunInferenceFunctionHighLane", "ScalingConfig"),
    ),
    "a queue without a policy": (
        storage.plain_http_is_refused,
        lambda t: of(t, "QueuePolicy")["Queues"].remove({"Ref": "NormalDeadLetterQueue"}),
    ),
    "a bucket without a policy": (storage.plain_http_is_refused, lambda t: t["Resources"].pop("DataBucketPolicy")),
    "a policy that allows plain HTTP": (storage.plain_http_is_refused, state("QueuePolicy", Effect="Allow")),
    "a policy that denies only reads": (
        storage.plain_http_is_refused,
        state("DataBucketPolicy", Action="s3:GetObject"),
    ),
    "a plain queue": (storage.storage_is_encrypted, drop("HighQueue", "SqsManagedSseEnabled")),
    "a plain bucket": (storage.storage_is_encrypted, drop("DataBucket", "BucketEncryption")),
    "a plain topic": (storage.storage_is_encrypted, drop("AlarmTopic", "KmsMasterKeyId")),
    "a key that alarms cannot use": (
        storage.storage_is_encrypted,
        change("AlarmTopic", KmsMasterKeyId="alias/aws/sns"),
    ),
    "a public bucket": (
        storage.data_survives,
        lambda t: of(t, "DataBucket")["PublicAccessBlockConfiguration"].update(BlockPublicPolicy=False),
    ),
    "no versions": (storage.data_survives, drop("DataBucket", "VersioningConfiguration")),
    "no recovery": (storage.data_survives, drop("TasksTable", "PointInTimeRecoverySpecification")),
    "a table that goes with the stack": (
        storage.data_survives,
        lambda t: t["Resources"]["TasksTable"].pop("DeletionPolicy"),
    ),
    "a bucket that a failed creation leaves": (
        storage.data_survives,
        lambda t: t["Resources"]["DataBucket"].update(DeletionPolicy="Retain"),
    ),
    "a public route at everybody's rate": (
        apis.public_routes_are_throttled,
        lambda t: stage(t)["RouteSettings"].pop("GET /health"),
    ),
    "half a throttle": (
        apis.public_routes_are_throttled,
        lambda t: stage(t)["RouteSettings"]["$default"].pop("ThrottlingBurstLimit"),
    ),
    "a token that is no longer asked for": (
        apis.public_routes_are_throttled,
        lambda t: of(t, "HttpApi")["Body"]["paths"]["/predict/cards"]["get"].pop("security"),
    ),
    "throttles of no route": (
        apis.public_routes_are_throttled,
        lambda t: stage(t)["RouteSettings"].update({"GET /health/": {}}),
    ),
    "logs outside the template": (
        functions.functions_have_log_groups,
        lambda t: t["Resources"].pop("PredictNowLogGroup"),
    ),
    "logs under another name": (
        functions.functions_have_log_groups,
        change("PredictNowLogGroup", LogGroupName="/aws/lambda/other"),
    ),
    "a function without a name": (functions.functions_have_log_groups, drop("PredictNowFunction", "FunctionName")),
    "logs forever": (functions.functions_have_log_groups, drop("HttpApiLogGroup", "RetentionInDays")),
    "a fixed threshold": (alarms.alarms_are_tunable_and_sent, change("HighQueueDepthAlarm", Threshold=1000)),
    "a silent alarm": (alarms.alarms_are_tunable_and_sent, drop("HighQueueDepthAlarm", "AlarmActions")),
    "an alarm on what was sent": (
        alarms.queue_alarms_count_what_is_there,
        change("HighDeadLettersAlarm", MetricName="NumberOfMessagesSent"),
    ),
}


@pytest.fixture(scope="module")
def whole(plain: Template, monitoring: Template) -> Template:
    """Return both templates as one, so that a fault can be put anywhere."""
    resources = {**plain["Resources"], **monitoring["Resources"]}
    return {"Resources": resources, "Parameters": {**monitoring["Parameters"], **plain["Parameters"]}}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_finds_nothing_in_our_templates(rule: type[_rule.Rule], whole: Template) -> None:
    assert list(rule().problems(whole)) == []


@pytest.mark.parametrize("fault", FAULTS)
def test_a_rule_finds_a_fault_and_names_the_resource(fault: str, whole: Template) -> None:
    rule, break_it = FAULTS[fault]
    broken = copy.deepcopy(whole)
    break_it(broken)
    found = list(rule().problems(broken))
    assert found, f"{rule.id} does not see {fault}"
    assert all(name in broken["Resources"] and message for name, message in found)


def test_every_rule_is_tried_and_has_an_id_of_its_own() -> None:
    assert {rule for rule, _ in FAULTS.values()} == set(RULES)
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert all(rule.id.startswith("E9") and rule.shortdesc and rule.description for rule in RULES)


def test_rules_know_references_in_both_forms() -> None:
    assert _rule.resource_of({"Ref": "HighQueue"}) == "HighQueue"
    assert _rule.resource_of({"Fn::GetAtt": ["HighQueue", "Arn"]}) == "HighQueue"
    assert _rule.resource_of({"Fn::GetAtt": "HighQueue.Arn"}) == "HighQueue"
    assert _rule.resource_of("arn:aws:sqs:us-east-1:123456789012:high") is None


def test_a_queue_of_another_stack_is_not_checked(whole: Template) -> None:
    # GIVEN a mapping from a queue of another stack
    foreign = copy.deepcopy(whole)
    of(foreign, "RunInferenceFunctionHighLane")["EventSourceArn"] = "arn:aws:sqs:us-east-1:123456789012:theirs"
    of(foreign, "RunInferenceFunctionHighLane").pop("ScalingConfig")
    # WHEN the rules of queues are applied
    # THEN no rule reports missing dead letters, a short timeout or unreported failures
    for rule in (
        queues.queues_have_dead_letters,
        queues.visibility_outlasts_workers,
        queues.receives_report_failures,
    ):
        assert list(rule().problems(foreign)) == []
