"""Rules E9011 to E9014: queues lose nothing, on the way to the worker and after it has failed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cfn_lint_rules import _rule as base

DEFAULT_RETENTION = 345_600
DEFAULT_VISIBILITY = 30
DEFAULT_TIMEOUT = 3
LEAST_RECEIVES = 5


@base.rule(
    "E9011",
    "A queue that a function reads has its own dead-letter queue",
    "A message that a worker cannot handle must not be lost, nor go to the dead letters of another lane",
)
def queues_have_dead_letters(template: base.Template) -> base.Problems:
    """Yield queues with a worker but without dead letters, and dead-letter queues that any queue may use."""
    queues = base.of_type(template, "AWS::SQS::Queue")
    for _, _, name in mappings_of_queues(template):
        redrive = queues[name].get("RedrivePolicy")
        if not redrive:
            yield name, f"{name} has no RedrivePolicy: what its worker cannot handle vanishes"
            continue
        receives = int(redrive["maxReceiveCount"])
        if receives < LEAST_RECEIVES:
            yield (
                name,
                f"{name} dead-letters after {receives} receives; throttled ones count: {LEAST_RECEIVES} at least",
            )
        target = queues.get(base.resource_of(redrive["deadLetterTargetArn"]) or "", {})
        if target.get("RedriveAllowPolicy", {}).get("redrivePermission") != "byQueue":
            yield name, f"The dead-letter queue of {name} has no RedriveAllowPolicy that names {name} alone"


@base.rule(
    "E9012",
    "A dead-letter queue keeps messages for longer than its source",
    "A dead letter keeps the time at which it was first sent, so its queue needs the longer retention",
)
def dead_letters_live_longer(template: base.Template) -> base.Problems:
    """Yield dead-letter queues whose retention is not above that of their source."""
    queues = base.of_type(template, "AWS::SQS::Queue")
    for name, queue in queues.items():
        target = base.resource_of(queue.get("RedrivePolicy", {}).get("deadLetterTargetArn"))
        if target is None:
            continue
        longest = base.bounds(template, queue.get("MessageRetentionPeriod", DEFAULT_RETENTION))[1]
        shortest = base.bounds(template, queues[target].get("MessageRetentionPeriod", DEFAULT_RETENTION))[0]
        if shortest <= longest:
            yield target, f"{target} keeps messages no longer than {name}"


@base.rule(
    "E9013",
    "Every allowed visibility timeout is at least six times the timeout of the function, plus the window",
    "A message that becomes visible while its worker still runs is processed twice",
)
def visibility_outlasts_workers(template: base.Template) -> base.Problems:
    """Yield queues where some allowed choice of parameters shows a message while it is processed."""
    functions = base.of_type(template, "AWS::Lambda::Function")
    queues = base.of_type(template, "AWS::SQS::Queue")
    for _, mapping, name in mappings_of_queues(template):
        function = base.resource_of(mapping["FunctionName"])
        if function not in functions:
            continue
        timeout = base.bounds(template, functions[function].get("Timeout", DEFAULT_TIMEOUT))[1]
        window = base.bounds(template, mapping.get("MaximumBatchingWindowInSeconds", 0))[1]
        visible = base.bounds(template, queues[name].get("VisibilityTimeout", DEFAULT_VISIBILITY))[0]
        if visible < 6 * timeout + window:
            needs = f"6 x {timeout:g} + {window:g} s"
            yield name, f"{name} may show a message again after {visible:g} s; {function} needs {needs}"


@base.rule(
    "E9014",
    "An event source mapping of a queue reports failures by message, and limits its concurrency",
    "Otherwise one bad message repeats its whole batch, or a failing worker drains the queue at full speed",
)
def receives_report_failures(template: base.Template) -> base.Problems:
    """Yield event source mappings of queues without reported failures or without a limit of concurrency."""
    for name, mapping, _ in mappings_of_queues(template):
        if "ReportBatchItemFailures" not in mapping.get("FunctionResponseTypes", []):
            yield name, f"{name} does not report failures by message (FunctionResponseTypes)"
        if "MaximumConcurrency" not in mapping.get("ScalingConfig", {}):
            yield name, f"{name} has no ScalingConfig.MaximumConcurrency"


def mappings_of_queues(template: base.Template) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield each event source mapping of a queue of the template: its logical id, its properties, the queue's id."""
    queues = base.of_type(template, "AWS::SQS::Queue")
    for name, mapping in base.of_type(template, "AWS::Lambda::EventSourceMapping").items():
        if (queue := base.resource_of(mapping.get("EventSourceArn"))) in queues:
            yield name, mapping, str(queue)
