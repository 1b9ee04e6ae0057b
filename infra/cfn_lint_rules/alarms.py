"""Rules E9051 and E9052: alarms ring when they should, at thresholds that an operator sets."""

from __future__ import annotations

from collections.abc import Iterator

from cfn_lint_rules import _rule as base


class ThresholdsAreParameters(base.Rule):
    """The threshold of every alarm is a parameter, and a topic hears of it."""

    id = "E9051"
    shortdesc = "Thresholds are parameters"
    description = "Operators tune alarms without editing a template, and every alarm reaches somebody"

    def problems(self, template: base.Template) -> Iterator[base.Problem]:
        """Yield alarms with a threshold in the template itself, or that tell nobody."""
        for name, alarm in base.of_type(template, "AWS::CloudWatch::Alarm").items():
            if base.resource_of(alarm.get("Threshold")) not in template.get("Parameters", {}):
                yield ["Resources", name], f"{name} has a fixed threshold; make it a parameter"
            if not alarm.get("AlarmActions"):
                yield ["Resources", name], f"{name} tells nobody (AlarmActions)"


class QueueAlarmsCountWhatIsThere(base.Rule):
    """No alarm watches what was sent to a queue."""

    id = "E9052"
    shortdesc = "Queue alarms count what is there"
    description = "NumberOfMessagesSent stays 0 for messages that SQS itself moves to the dead letters"

    def problems(self, template: base.Template) -> Iterator[base.Problem]:
        """Yield alarms on what was sent to a queue."""
        for name, alarm in base.of_type(template, "AWS::CloudWatch::Alarm").items():
            if alarm.get("Namespace") == "AWS/SQS" and alarm.get("MetricName") == "NumberOfMessagesSent":
                yield ["Resources", name], f"{name}: use ApproximateNumberOfMessagesVisible"
