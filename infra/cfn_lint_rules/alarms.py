"""Rules E9051 and E9052: alarms fire when they should, at thresholds that an operator sets."""

from __future__ import annotations

from cfn_lint_rules import _rule as base


@base.rule(
    "E9051",
    "The threshold of every alarm is a parameter, and a topic receives the alarm",
    "Operators tune alarms without editing a template, and every alarm reaches somebody",
)
def alarms_are_tunable_and_sent(template: base.Template) -> base.Problems:
    """Yield alarms with a threshold in the template itself, or without an action."""
    for name, alarm in base.of_type(template, "AWS::CloudWatch::Alarm").items():
        if base.resource_of(alarm.get("Threshold")) not in template.get("Parameters", {}):
            yield name, f"{name} has a fixed threshold; make it a parameter"
        if not alarm.get("AlarmActions"):
            yield name, f"{name} notifies no topic (AlarmActions)"


@base.rule(
    "E9052",
    "No alarm watches the number of messages that were sent to a queue",
    "NumberOfMessagesSent stays 0 for messages that SQS itself moves to the dead letters",
)
def queue_alarms_count_what_is_there(template: base.Template) -> base.Problems:
    """Yield alarms on what was sent to a queue."""
    for name, alarm in base.of_type(template, "AWS::CloudWatch::Alarm").items():
        if alarm.get("Namespace") == "AWS/SQS" and alarm.get("MetricName") == "NumberOfMessagesSent":
            yield name, f"{name}: use ApproximateNumberOfMessagesVisible"
