"""`make prove-permissions`: roles suffice, and each of their permissions is missed where it is taken away."""

from __future__ import annotations

import json
import tempfile
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

import typer

from matchcast_tools.laptop.stack_file import laptop_stack
from tests.conformance.receiver import Receiver, receiver
from tests.proofs.bench import REFRESH_SECONDS
from tests.proofs.claims import Claims
from tests.proofs.duties import Duties
from tests.proofs.grants import Grant, Roles
from tests.support.laptop import Command

NOT_ASKED_FOR = {
    "* logs:*": "Lambda writes the logs with it; the engine keeps what functions print itself",
    "run_inference sqs:GetQueueAttributes *": "on AWS the event source mapping has this role; here it has none",
    "run_inference sqs:ReceiveMessage *-normal": "the same; of the high lane the function itself takes messages too",
    "run_inference sqs:DeleteMessage *-normal": "the same",
    "run_inference sqs:SendMessage *-high": "a message that was postponed ten times is replaced, after an hour",
    "run_inference sqs:SendMessage *-normal": "the same",
    "split_batch sqs:GetQueueAttributes *": "on AWS the event source mapping has this role; here it has none",
    "split_batch sqs:ReceiveMessage *": "the same",
    "split_batch sqs:DeleteMessage *": "the same",
    "split_batch s3:ListBucket *": "on AWS a missing object is denied without it; the engine says that it is missing",
    "split_batch s3:AbortMultipartUpload *": "a file of more than 16 MiB, whose upload breaks off",
    "deliver_webhooks dynamodb:* */stream/*": "on AWS the event source mapping has this role; here it has none",
    "deliver_webhooks sqs:GetQueueAttributes *": "the same",
    "deliver_webhooks sqs:ReceiveMessage *": "the same",
    "deliver_webhooks sqs:DeleteMessage *": "the same",
    "refresh_snapshot dynamodb:GetItem *": "a batch that failed, and that two invocations run again at the same time",
    "refresh_snapshot s3:AbortMultipartUpload *": "a file of more than 16 MiB, whose upload breaks off",
    "refresh_snapshot s3:DeleteObject *": "a snapshot is removed an hour after another took its place",
}
"""What no function asks for on a laptop (its name, the action, the resource), with the reason."""


def main(
    functions: Annotated[
        list[str] | None, typer.Argument(help="The functions whose roles are tried; all of them.")
    ] = None,
) -> None:
    """Show on a laptop stack that roles suffice, and that each of their permissions is needed."""
    claims = Claims()
    claims.say("starting a laptop stack with the sample league; roles are enforced")
    with tempfile.TemporaryDirectory(prefix="matchcast-proof-") as name:
        command = Command(Path(name) / "local", Path(name) / "sample")
        # Batches whose function was denied something stay open.
        options = [f"ModelRefreshSeconds={REFRESH_SECONDS}", "LoopbackCallbacks=true", "MaxOpenBatches=1000"]
        with command.stack(*(part for option in options for part in ("--set", option))), receiver() as receives:
            prove(command, claims, receives, functions or [])
    claims.finish()


def prove(command: Command, claims: Claims, receives: Receiver, functions: list[str]) -> None:
    """Try the roles of a running stack."""
    content = json.loads(command.stack_file.read_text())
    stack = laptop_stack(content["port"], content["outputs"])
    roles = Roles(stack, content["resources"], command.local / "engine.log")
    duties = Duties(stack, receives, roles.start_afresh, roles.denied_lately)
    chosen = functions or roles.functions
    broken = [problem for function in chosen for problem in whole(roles, duties, function, claims)]
    claims.hold("every function does all of its duties, and is denied nothing", holds=not broken, functions=len(chosen))
    grants = [grant for function in chosen for grant in roles.grants(function)]
    claims.say(f"taking {len(grants)} permissions away, one at a time")
    noticed = {grant: missed(roles, duties, grant, claims) for grant in grants}
    unused = [grant for grant, how in noticed.items() if how is None]
    excused = [grant for grant in grants if excuse(grant)]
    for grant in set(unused) ^ set(excused):
        claims.say(f"  {'is asked for after all' if grant in excused else 'nobody needs it'}: {grant}")
    claims.hold(
        "a permission that is taken away is asked for and denied, but for those that a laptop needs not",
        holds=bool(grants) and unused == excused,
        permissions=len(grants),
        denied=len(grants) - len(unused),
        noticed_by_clients=sum(bool(how) for how in noticed.values()),
        not_asked_for_on_a_laptop=len(excused),
    )


def excuse(grant: Grant) -> str | None:
    """Return why nothing asks for a permission on a laptop."""
    described = f"{grant.function} {grant.action} {grant.resource}"
    return next((reason for pattern, reason in NOT_ASKED_FOR.items() if fnmatchcase(described, pattern)), None)


def whole(roles: Roles, duties: Duties, function: str, claims: Claims) -> list[str]:
    """Return what goes wrong with a function whose role is as it was deployed."""
    since = roles.mark(function)
    problems = [*duties.of(function), *map(str, roles.denied(function, since))]
    for problem in problems:
        claims.say(f"  {function}: {problem}")
    return problems


def missed(roles: Roles, duties: Duties, grant: Grant, claims: Claims) -> list[str] | None:
    """Return what a client notices of a permission that is gone; None if nothing asks for it."""
    since = roles.mark(grant.function)
    with roles.without(grant):
        wrong = duties.of(grant.function)
        asked = any(one.action.removesuffix("Batch") == grant.action for one in roles.denied(grant.function, since))
    if asked and not wrong:
        claims.say(f"  denied, and no client notices: {grant}")
    return wrong if asked else None


if __name__ == "__main__":
    typer.run(main)
