"""Rules E9011 to E9014: queues lose nothing, on the way to the worker and after it has failed."""

from __future__ import annotations

from collections.abc import Iterator

from cfn_lint_rules import _rule as base

DEFAULT_RETENTION = 345_600
DEFAULT_VISIBILITY = 30
LEAST_RECEIVES = 5


class QueuesHaveDeadLetters(base.Rule):
    """A queue that a function reads has a dead-letter queue, which only it may use."""

    id = "E9011"
    shortdesc = "Queues have dead letters"
    description = "What a worker cannot handle must not vanish, nor fill another lane's dead letters"

    def problems(self, template: base.Template) -> Iterator[base.Problem]:
        """Yield queues with a worker but without dead letters, and dead-letter queues that any queue may use."""
        queues = base.of_type(template, "AWS::SQS::Queue")
        for mapping in base.of_type(template, "AWS::Lambda::EventSourceMapping").values():
            name = base.resource_of(mapping.get("EventSourceArn"))
            if name not in queues:
                continue
            at: list[str | int] = ["Resources", name, "Properties"]
            redrive = queues[name].get("RedrivePolicy")
            if not redrive:
                yield at, f"{name} has no RedrivePolicy: what its worker cannot handle vanishes"
                continue
            receives = int(redrive["maxReceiveCount"])
            if receives < LEAST_RECEIVES:
                yield (
                    at,
                    f"{name} gives up after {receives} receives; throttled ones count, so {LEAST_RECEIVES} at least",
                )
            target = base.resource_of(redrive["deadLetterTargetArn"])
            allows = queues.get(target or "", {}).get("RedriveAllowPolicy", {})
            if allows.get("redrivePermission") != "byQueue":
                yield at, f"The dead-letter queue of {name} has no RedriveAllowPolicy that names {name} alone"


class DeadLettersLiveLonger(base.Rule):
    """A dead-letter queue keeps messages for longer than its source."""

    id = "E9012"
    shortdesc = "Dead letters live longer"
    description = "A dead letter keeps the time of its first sending, so its queue needs the longer retention"

    def problems(self, template: base.Template) -> Iterator[base.Problem]:
        """Yield dead-letter queues whose retention is not above that of their source."""
        queues = base.of_type(template, "AWS::SQS::Queue")
        for name, queue in queues.items():
            target = base.resource_of(queue.get("RedrivePolicy", {}).get("deadLetterTargetArn"))
            if target is None:
                continue
            longest = base.bounds(template, queue.get("MessageRetentionPeriod", DEFAULT_RETENTION))[1]
            shortest = base.bounds(template, queues[target].get("MessageRetentionPeriod", DEFAULT_RETENTION))[0]
            if shortest <= longest:
                yield ["Resources", target, "Properties"], f"{target} keeps messages no longer than {name}"


class VisibilityOutlastsWorkers(base.Rule):
    """Every allowed visibility timeout is at least six times the function's timeout, plus the window."""

    id = "E9013"
    shortdesc = "Visibility outlasts workers"
    description = "A message that becomes visible while its worker still runs is worked on twice"

    def problems(self, template: base.Template) -> Iterator[base.Problem]:
        """Yield queues where some allowed choice of parameters shows a message while it is worked on."""
        functions = base.of_type(template, "AWS::Lambda::Function")
        queues = base.of_type(template, "AWS::SQS::Queue")
        for mapping in base.of_type(template, "AWS::Lambda::EventSourceMapping").values():
            name = base.resource_of(mapping.get("EventSourceArn"))
            function = base.resource_of(mapping["FunctionName"])
            if name not in queues or function not in functions:
                continue
            timeout = base.bounds(template, functions[function].get("Timeout", 3))[1]
            window = base.bounds(template, mapping.get("MaximumBatchingWindowInSeconds", 0))[1]
            visible = base.bounds(template, queues[name].get("VisibilityTimeout", DEFAULT_VISIBILITY))[0]
            if visible < 6 * timeout + window:
                needs = f"6 x {timeout:g} + {window:g} s"
                at: list[str | int] = ["Resources", name, "Properties"]
                yield at, f"{name} may show a message again after {visible:g} s; {function} needs {needs}"


class ReceivesReportFailures(base.Rule):
    """An event source mapping of a queue reports failures by message, and its concurrency has a limit."""

    id = "E9014"
    shortdesc = "Receives report failures"
    description = "Else one bad message repeats its whole batch, or a failing worker drains the queue at full speed"

    def problems(self, template: base.Template) -> Iterator[base.Problem]:
        """Yield event source mappings of queues without reported failures or without a limit of concurrency."""
        queues = base.of_type(template, "AWS::SQS::Queue")
        for name, mapping in base.of_type(template, "AWS::Lambda::EventSourceMapping").items():
            if base.resource_of(mapping.get("EventSourceArn")) not in queues:
                continue
            at: list[str | int] = ["Resources", name, "Properties"]
            if "ReportBatchItemFailures" not in mapping.get("FunctionResponseTypes", []):
                yield at, f"{name} does not report failures by message (FunctionResponseTypes)"
            if "MaximumConcurrency" not in mapping.get("ScalingConfig", {}):
                yield at, f"{name} has no ScalingConfig.MaximumConcurrency"
