"""Each of the project's cfn-lint rules: silent on our templates, and loud on every fault that it is there for."""

from __future__ import annotations

import copy
import inspect
import json
from collections.abc import Callable
from typing import Any

import pytest

from cfn_lint_rules import _rule, alarms, api, functions, queues, roles, storage

Template = dict[str, Any]
MODULES = (alarms, api, functions, queues, roles, storage)
RULES = [
    item
    for module in MODULES
    for _, item in inspect.getmembers(module, inspect.isclass)
    if issubclass(item, _rule.Rule)
]


def of(template: Template, name: str) -> dict[str, Any]:
    found: dict[str, Any] = template["Resources"][name]["Properties"]
    return found


def statement(template: Template, role: str) -> dict[str, Any]:
    found: dict[str, Any] = of(template, role)["Policies"][0]["PolicyDocument"]["Statement"][0]
    return found


def paths(template: Template) -> dict[str, Any]:
    found: dict[str, Any] = of(template, "HttpApi")["Body"]["paths"]
    return found


def add(template: Template, name: str, kind: str, **properties: Any) -> None:
    template["Resources"][name] = {"Type": kind, "Properties": properties}


def drop(mapping: dict[str, Any], key: str) -> None:
    del mapping[key]


def move_scope(template: Template) -> None:
    paths(template)["/predict/async/"]["post"]["security"] = [{"Tokens": ["predictions/read"]}]


def allow_http(template: Template) -> None:
    of(template, "HighQueuePolicy")["PolicyDocument"]["Statement"][0]["Effect"] = "Allow"


def deny_some(template: Template) -> None:
    of(template, "DataBucketPolicy")["PolicyDocument"]["Statement"][0]["Action"] = "s3:GetObject"


def parameter(template: Template, name: str, **changes: Any) -> None:
    template["Parameters"][name].update(changes)


FAULTS: dict[str, tuple[type[_rule.Rule], Callable[[Template], object]]] = {
    "a wildcard action": (roles.RolesGrantLeast, lambda t: statement(t, "TrackTasksRole").update(Action="dynamodb:*")),
    "a wildcard among actions": (
        roles.RolesGrantLeast,
        lambda t: statement(t, "TrackTasksRole").update(Action=["dynamodb:GetItem", "dynamodb:Describe*"]),
    ),
    "a wildcard resource": (roles.RolesGrantLeast, lambda t: statement(t, "TrackTasksRole").update(Resource="*")),
    "everything but": (roles.RolesGrantLeast, lambda t: statement(t, "TrackTasksRole").update(NotAction="s3:*")),
    "a managed policy": (
        roles.RolesGrantLeast,
        lambda t: of(t, "TrackTasksRole").update(ManagedPolicyArns=["arn:aws:iam::aws:policy/AdministratorAccess"]),
    ),
    "a policy apart": (roles.RolesGrantLeast, lambda t: add(t, "More", "AWS::IAM::ManagedPolicy")),
    "no dead letters": (queues.QueuesHaveDeadLetters, lambda t: drop(of(t, "HighQueue"), "RedrivePolicy")),
    "giving up too early": (
        queues.QueuesHaveDeadLetters,
        lambda t: of(t, "HighQueue")["RedrivePolicy"].update(maxReceiveCount=3),
    ),
    "dead letters for any queue": (
        queues.QueuesHaveDeadLetters,
        lambda t: drop(of(t, "HighDeadLetterQueue"), "RedriveAllowPolicy"),
    ),
    "dead letters forgotten first": (
        queues.DeadLettersLiveLonger,
        lambda t: of(t, "NormalDeadLetterQueue").update(MessageRetentionPeriod=345_600),
    ),
    "visible while worked on": (
        queues.VisibilityOutlastsWorkers,
        lambda t: parameter(t, "VisibilityTimeoutSeconds", MinValue=419),
    ),
    "a slower worker": (
        queues.VisibilityOutlastsWorkers,
        lambda t: parameter(t, "InferenceTimeoutSeconds", MaxValue=61),
    ),
    "a longer window": (
        queues.VisibilityOutlastsWorkers,
        lambda t: parameter(t, "NormalBatchWindowSeconds", MaxValue=300),
    ),
    "a timeout without bounds": (
        queues.VisibilityOutlastsWorkers,
        lambda t: drop(t["Parameters"]["InferenceTimeoutSeconds"], "MaxValue"),
    ),
    "all or nothing": (
        queues.ReceivesReportFailures,
        lambda t: drop(of(t, "RunInferenceFunctionHighLane"), "FunctionResponseTypes"),
    ),
    "full speed into the dead letters": (
        queues.ReceivesReportFailures,
        lambda t: drop(of(t, "RunInferenceFunctionHighLane"), "ScalingConfig"),
    ),
    "a queue without a policy": (storage.PlainHttpIsRefused, lambda t: drop(t["Resources"], "NormalQueuePolicy")),
    "a bucket without a policy": (storage.PlainHttpIsRefused, lambda t: drop(t["Resources"], "DataBucketPolicy")),
    "a policy that allows plain HTTP": (storage.PlainHttpIsRefused, allow_http),
    "a policy that denies only reads": (storage.PlainHttpIsRefused, deny_some),
    "a plain queue": (storage.StorageIsEncrypted, lambda t: drop(of(t, "HighQueue"), "SqsManagedSseEnabled")),
    "a plain bucket": (storage.StorageIsEncrypted, lambda t: drop(of(t, "DataBucket"), "BucketEncryption")),
    "a plain topic": (storage.StorageIsEncrypted, lambda t: drop(of(t, "AlarmTopic"), "KmsMasterKeyId")),
    "a key that alarms cannot use": (
        storage.StorageIsEncrypted,
        lambda t: of(t, "AlarmTopic").update(KmsMasterKeyId="alias/aws/sns"),
    ),
    "a public bucket": (
        storage.DataSurvives,
        lambda t: of(t, "DataBucket")["PublicAccessBlockConfiguration"].update(BlockPublicPolicy=False),
    ),
    "no versions": (storage.DataSurvives, lambda t: drop(of(t, "DataBucket"), "VersioningConfiguration")),
    "no recovery": (storage.DataSurvives, lambda t: drop(of(t, "TasksTable"), "PointInTimeRecoverySpecification")),
    "a table that goes with the stack": (
        storage.DataSurvives,
        lambda t: drop(t["Resources"]["TasksTable"], "DeletionPolicy"),
    ),
    "logs that nobody clears": (
        functions.FunctionsHaveLogGroups,
        lambda t: drop(t["Resources"], "PredictNowLogGroup"),
    ),
    "logs under another name": (
        functions.FunctionsHaveLogGroups,
        lambda t: of(t, "PredictNowLogGroup").update(LogGroupName="/aws/lambda/other"),
    ),
    "a function without a name": (
        functions.FunctionsHaveLogGroups,
        lambda t: drop(of(t, "PredictNowFunction"), "FunctionName"),
    ),
    "logs for ever": (
        functions.FunctionsHaveLogGroups,
        lambda t: drop(of(t, "HttpApiLogGroup"), "RetentionInDays"),
    ),
    "logs that may stay": (
        functions.FunctionsHaveLogGroups,
        lambda t: drop(t["Resources"]["HttpApiLogGroup"], "DeletionPolicy"),
    ),
    "no last slash": (api.RoutesTakeTheLastSlash, lambda t: drop(paths(t), "/predict/cards/")),
    "a last slash alone": (api.RoutesTakeTheLastSlash, lambda t: drop(paths(t), "/predict/cards")),
    "no last slash on AWS": (api.RoutesTakeTheLastSlash, lambda t: drop(paths(t), "/predict/cards/{proxy+}")),
    "one route, two scopes": (api.RoutesTakeTheLastSlash, move_scope),
    "an open route": (api.RoutesAreClosed, lambda t: paths(t)["/predict/cards"]["get"].update(security=[{"NONE": []}])),
    "a route without a scope": (
        api.RoutesAreClosed,
        lambda t: paths(t)["/predict/cards"]["get"].update(security=[{"Tokens": []}]),
    ),
    "a closed health check": (
        api.RoutesAreClosed,
        lambda t: paths(t)["/health/"]["get"].update(security=[{"Tokens": ["predictions/read"]}]),
    ),
    "a fixed threshold": (
        alarms.ThresholdsAreParameters,
        lambda t: of(t, "HighQueueDepthAlarm").update(Threshold=1000),
    ),
    "a silent alarm": (alarms.ThresholdsAreParameters, lambda t: drop(of(t, "HighQueueDepthAlarm"), "AlarmActions")),
    "an alarm on what was sent": (
        alarms.QueueAlarmsCountWhatIsThere,
        lambda t: of(t, "HighDeadLettersAlarm").update(MetricName="NumberOfMessagesSent"),
    ),
}


@pytest.fixture(scope="module")
def whole(plain: Template, monitoring: Template) -> Template:
    """Return both templates as one, so that a fault can be put anywhere."""
    resources = {**plain["Resources"], **monitoring["Resources"]}
    return {"Resources": resources, "Parameters": {**monitoring["Parameters"], **plain["Parameters"]}}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_has_nothing_to_say_about_our_templates(rule: type[_rule.Rule], whole: Template) -> None:
    assert list(rule().problems(whole)) == []


@pytest.mark.parametrize("fault", FAULTS)
def test_a_rule_finds_a_fault_and_names_where_it_is(fault: str, whole: Template) -> None:
    rule, break_it = FAULTS[fault]
    broken = copy.deepcopy(whole)
    break_it(broken)
    found = list(rule().problems(broken))
    assert found, f"{rule.id} does not see {fault}"
    assert all(path[0] == "Resources" and message for path, message in found)


def test_every_rule_is_tried_and_has_an_id_of_its_own() -> None:
    assert {rule for rule, _ in FAULTS.values()} == set(RULES)
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert all(rule.id.startswith("E9") and rule.shortdesc and rule.description for rule in RULES)


def test_rules_know_references_in_both_forms() -> None:
    assert _rule.resource_of({"Ref": "HighQueue"}) == "HighQueue"
    assert _rule.resource_of({"Fn::GetAtt": ["HighQueue", "Arn"]}) == "HighQueue"
    assert _rule.resource_of({"Fn::GetAtt": "HighQueue.Arn"}) == "HighQueue"
    assert _rule.resource_of("arn:aws:sqs:us-east-1:123456789012:high") is None


def test_a_queue_that_the_template_does_not_make_is_somebody_elses(whole: Template) -> None:
    # GIVEN a mapping from a queue of another stack
    foreign = json.loads(json.dumps(whole))
    of(foreign, "RunInferenceFunctionHighLane")["EventSourceArn"] = "arn:aws:sqs:us-east-1:123456789012:theirs"
    # THEN no rule asks for its dead letters or its timeout here
    for rule in (queues.QueuesHaveDeadLetters, queues.VisibilityOutlastsWorkers, queues.ReceivesReportFailures):
        assert list(rule().problems(foreign)) == []
