"""Alarms: on each lane's depth, oldest message and dead letters, to a topic that they can reach."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from functions.deliver_webhooks.handler import OLDEST
from functions.split_batch.handler import POSTPONED
from matchcast.errors import ManifestInvalid
from matchcast.observability import count_delivery, report_refused
from matchcast.tasks.settle import LONGEST_RETRY_SECONDS
from matchcast.tasks.sweep import HIDE_SECONDS

LANES = ("High", "Normal", "Batches")
ALARMS = {
    "QueueDepth": ("ApproximateNumberOfMessagesVisible", "{lane}QueueName", "AlarmQueueDepth", 1000),
    "DeadLetters": ("ApproximateNumberOfMessagesVisible", "{lane}DeadLetterQueueName", "AlarmDeadLetters", 0),
    "OldestMessage": ("ApproximateAgeOfOldestMessage", "{lane}QueueName", "AlarmOldestMessageSeconds", 300),
}
# To split an input takes minutes.
OF_BATCHES = {
    ("Batches", "OldestMessage"): (
        "ApproximateAgeOfOldestMessage",
        "{lane}QueueName",
        "AlarmOldestBatchMessageSeconds",
        1800,
    )
}


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("kind", ALARMS)
def test_a_lane_has_its_alarm(lane: str, kind: str, monitoring: dict[str, Any], template: dict[str, Any]) -> None:
    # GIVEN
    metric, queue, threshold, default = OF_BATCHES.get((lane, kind)) or ALARMS[kind]
    # WHEN
    alarm = monitoring["Resources"][f"{lane}{kind}Alarm"]["Properties"]
    # THEN
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/SQS", metric)
    assert alarm["Dimensions"] == [{"Name": "QueueName", "Value": {"Ref": queue.format(lane=lane)}}]
    assert (alarm["ComparisonOperator"], alarm["Statistic"]) == ("GreaterThanThreshold", "Maximum")
    assert alarm["Threshold"] == {"Ref": threshold}
    assert alarm["AlarmActions"] == [{"Ref": "AlarmTopic"}]
    # A queue that was empty and unused for hours sends no metric, which must not fire the alarm.
    assert alarm["TreatMissingData"] == "notBreaching"
    assert template["Parameters"][threshold]["Default"] == default


@pytest.mark.parametrize("lane", LANES)
def test_the_alarm_on_dead_letters_lasts_while_sweeps_hide_them(
    lane: str, monitoring: dict[str, Any], template: dict[str, Any]
) -> None:
    # GIVEN the time between two sweeps, and for how long one hides letters if it dies
    schedule = template["Resources"]["SweepDeadLettersFunction"]["Properties"]["Events"]["Schedule"]["Properties"]
    between_sweeps = 60 * int(schedule["Schedule"].removeprefix("rate(").removesuffix(" minutes)"))
    # WHEN
    alarm = monitoring["Resources"][f"{lane}DeadLettersAlarm"]["Properties"]
    # THEN it fires after one minute with letters, and ends after three sweeps between which none were visible
    assert (alarm["Period"], alarm["DatapointsToAlarm"]) == (60, 1)
    assert alarm["EvaluationPeriods"] * alarm["Period"] == 3 * between_sweeps > 3 * HIDE_SECONDS


@pytest.mark.parametrize("kind", ["model", "snapshot"])
def test_a_refused_release_fires_an_alarm_from_any_function(
    kind: str, monitoring: dict[str, Any], template: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN the metric as functions write it
    report_refused(kind, ManifestInvalid("not to be read"))
    (record,) = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    (written,) = record["_aws"]["CloudWatchMetrics"]
    # WHEN the alarm of that kind is read from the template
    # THEN it watches that metric, by the dimensions that all functions share
    alarm = monitoring["Resources"][f"{kind.capitalize()}ReleaseAlarm"]["Properties"]
    assert (alarm["Namespace"], alarm["MetricName"]) == (written["Namespace"], written["Metrics"][0]["Name"])
    assert alarm["Dimensions"] == [{"Name": "kind", "Value": record["kind"]}]
    assert ["kind"] in written["Dimensions"]
    # AND a single refusal is enough
    assert (alarm["ComparisonOperator"], alarm["Statistic"]) == ("GreaterThanThreshold", "Sum")
    assert alarm["Threshold"] == {"Ref": "AlarmReleaseProblems"}
    assert template["Parameters"]["AlarmReleaseProblems"]["Default"] == 0
    assert alarm["AlarmActions"] == [{"Ref": "AlarmTopic"}]
    assert alarm["TreatMissingData"] == "notBreaching"


def test_an_error_of_a_function_that_answers_no_client_fires_an_alarm(
    monitoring: dict[str, Any], template: dict[str, Any]
) -> None:
    # GIVEN the functions that no request of the API reaches
    functions = {
        key: item for key, item in template["Resources"].items() if item["Type"] == "AWS::Serverless::Function"
    }
    silent = {
        key.removesuffix("Function"): item["Properties"]["FunctionName"]["Fn::Sub"]
        for key, item in functions.items()
        if not any(event["Type"] == "HttpApi" for event in item["Properties"]["Events"].values())
    }
    assert len(silent) == 5
    for name, function in silent.items():
        # WHEN
        alarm = monitoring["Resources"][f"{name}ErrorsAlarm"]["Properties"]
        # THEN it counts the errors of the function by its name, and one is enough
        assert (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"]) == ("AWS/Lambda", "Errors", "Sum")
        named = function.replace("${AWS::StackName}", "${ParentStackName}")
        assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": {"Fn::Sub": named}}]
        assert (alarm["Threshold"], alarm["TreatMissingData"]) == ({"Ref": "AlarmFunctionErrors"}, "notBreaching")
    assert template["Parameters"]["AlarmFunctionErrors"]["Default"] == 0


def test_messages_of_batches_that_are_postponed_for_long_fire_an_alarm(
    monitoring: dict[str, Any], template: dict[str, Any]
) -> None:
    # GIVEN the longest time for which one is hidden
    # WHEN
    alarm = monitoring["Resources"]["BatchesPostponedAlarm"]["Properties"]
    # THEN it watches what split_batch counts, in periods of which none is without one as long as something is wrong
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"]) == ("matchcast", POSTPONED, "Sum")
    assert alarm["Dimensions"] == [{"Name": "service", "Value": "split_batch"}]
    assert alarm["Period"] >= LONGEST_RETRY_SECONDS
    assert (alarm["EvaluationPeriods"], alarm["TreatMissingData"]) == (2, "notBreaching")
    assert alarm["Threshold"] == {"Ref": "AlarmBatchesPostponed"}
    assert template["Parameters"]["AlarmBatchesPostponed"]["Default"] == 0
    assert alarm["AlarmActions"] == [{"Ref": "AlarmTopic"}]


def test_events_that_are_not_delivered_fire_alarms(
    monitoring: dict[str, Any],
    template: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # GIVEN the metric of an event that failed, as the function writes it
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "deliver_webhooks")
    count_delivery("failed", None)
    record = json.loads(capsys.readouterr().out)
    (written,) = record["_aws"]["CloudWatchMetrics"]
    # WHEN
    failed, oldest = (
        monitoring["Resources"][f"{name}Alarm"]["Properties"] for name in ("FailedDeliveries", "OldestEvent")
    )
    # THEN
    assert (failed["Namespace"], failed["MetricName"]) == (written["Namespace"], written["Metrics"][0]["Name"])
    dimensions = {each["Name"]: each["Value"] for each in failed["Dimensions"]}
    assert set(dimensions) == set(written["Dimensions"][0])
    assert dimensions == {name: record[name] for name in dimensions}
    assert (failed["Statistic"], failed["TreatMissingData"]) == ("Sum", "notBreaching")
    # AND every period of the other one has a sweep; a sweep that is missing is an outage
    assert (oldest["MetricName"], oldest["Dimensions"]) == (OLDEST, [{"Name": "service", "Value": "deliver_webhooks"}])
    events = template["Resources"]["DeliverWebhooksFunction"]["Properties"]["Events"]
    assert events["Sweep"]["Properties"]["Schedule"] == "rate(5 minutes)"
    assert (oldest["Period"], oldest["TreatMissingData"], oldest["Statistic"]) == (2 * 300, "breaching", "Maximum")
    for alarm, threshold in ((failed, "AlarmFailedDeliveries"), (oldest, "AlarmOldestEventSeconds")):
        assert (alarm["Threshold"], alarm["AlarmActions"]) == ({"Ref": threshold}, [{"Ref": "AlarmTopic"}])
    assert [
        template["Parameters"][name]["Default"] for name in ("AlarmFailedDeliveries", "AlarmOldestEventSeconds")
    ] == [
        0,
        900,
    ]


def test_every_parameter_of_the_nested_template_is_passed(monitoring: dict[str, Any], template: dict[str, Any]) -> None:
    passed = template["Resources"]["Monitoring"]["Properties"]["Parameters"]
    assert set(passed) == set(monitoring["Parameters"])
    for lane in LANES:
        for kind in ("Queue", "DeadLetterQueue"):
            assert passed[f"{lane}{kind}Name"] == {"Fn::GetAtt": [f"{lane}{kind}", "QueueName"]}


def test_alarms_may_use_the_key_of_their_topic(monitoring: dict[str, Any]) -> None:
    resources = monitoring["Resources"]
    assert resources["AlarmTopic"]["Properties"]["KmsMasterKeyId"] == {"Ref": "AlarmTopicKey"}
    statements = resources["AlarmTopicKey"]["Properties"]["KeyPolicy"]["Statement"]
    [usage] = [item for item in statements if item["Principal"] == {"Service": "cloudwatch.amazonaws.com"}]
    assert set(usage["Action"]) == {"kms:Decrypt", "kms:GenerateDataKey*"}
    assert usage["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_only_alarms_of_this_account_publish_to_the_topic(monitoring: dict[str, Any]) -> None:
    statements = monitoring["Resources"]["AlarmTopicPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    [publish] = [item for item in statements if item["Effect"] == "Allow"]
    assert publish["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert publish["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_no_alarm_is_mailed_unless_an_address_is_given(monitoring: dict[str, Any], template: dict[str, Any]) -> None:
    assert monitoring["Resources"]["AlarmEmailSubscription"]["Condition"] == "HasEmail"
    assert template["Parameters"]["AlarmEmail"]["Default"] == ""


def test_the_dashboard_is_json_and_shows_every_queue_and_refused_releases(monitoring: dict[str, Any]) -> None:
    text = monitoring["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    body = json.loads(re.sub(r"\$\{([^}]+)\}", r"\1", text))
    shown = json.dumps(body["widgets"])
    assert "release_problems_total" in shown
    assert all(f"{lane}{kind}Name" in shown for lane in LANES for kind in ("Queue", "DeadLetterQueue"))
    places = [(widget["x"], widget["y"]) for widget in body["widgets"]]
    assert len(set(places)) == len(places)


def test_no_alarm_counts_what_a_client_can_choose(monitoring: dict[str, Any]) -> None:
    # A 504 within a client's own `Prefer: wait` is a 5xx to API Gateway; the functions' own metrics tell them apart.
    alarms = [
        item["Properties"] for item in monitoring["Resources"].values() if item["Type"] == "AWS::CloudWatch::Alarm"
    ]
    assert alarms
    assert not [alarm["AlarmName"] for alarm in alarms if alarm.get("Namespace") == "AWS/ApiGateway"]
