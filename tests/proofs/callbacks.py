"""`make prove-callbacks`: callbacks to a bad receiver and to addresses inside; the schedule; waiting retries."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import typer

from tests.conformance.bench import Bench as ConformanceBench
from tests.conformance.bench import RuleBroken
from tests.conformance.receiver import receiver
from tests.conformance.rules import RULES
from tests.conformance.stack import StackSender
from tests.proofs.bench import Bench, bench
from tests.proofs.callback_addresses import refused_at_submission, refused_at_the_socket
from tests.proofs.callback_backlog import backlog
from tests.proofs.callback_schedule import schedule
from tests.proofs.callback_storm import storm
from tests.proofs.claims import Claims

TIMEOUT_SECONDS = 20.0
AT_ONCE = 6


def main(
    events: Annotated[int, typer.Option(min=50, help="How many tasks and batches have a callback.")] = 200,
    waiting: Annotated[int, typer.Option(min=1_000, help="How many retries wait beside new events.")] = 200_000,
) -> None:
    """Show that callbacks arrive, signed, once by their ids, and that none goes inside."""
    claims = Claims()
    refused_at_the_socket(claims)
    schedule(claims)
    backlog(claims, waiting)
    claims.say("starting a laptop stack with the sample league")
    with bench("--set", "ModelRuntime=onnx", "--set", "MaxOpenBatches=1000") as work:
        refused_at_submission(work, claims)
        admit_loopback(work)
        storm(work, claims, events)
        conformance(work, claims)
    claims.finish()


def admit_loopback(work: Bench) -> None:
    """Let the functions call receivers on this machine, as a stack does that is started with LoopbackCallbacks."""
    functions = work.stack.client("lambda")
    for function in functions.list_functions()["Functions"]:
        variables = function.get("Environment", {}).get("Variables", {})
        if "LOOPBACK_CALLBACKS" in variables:
            functions.update_function_configuration(
                FunctionName=function["FunctionName"],
                Environment={"Variables": {**variables, "LOOPBACK_CALLBACKS": "true"}},
            )
    time.sleep(2)


def conformance(work: Bench, claims: Claims) -> None:
    """Hold the stack to the rules of Standard Webhooks, as the suite holds any sender."""
    claims.say(f"{len(RULES)} rules of Standard Webhooks, with its own 20 s for an attempt")
    for secret in work.api.get("/webhooks/secrets").expect(200)["secrets"]:
        work.api.request("DELETE", f"/webhooks/secrets/{secret['secret_id']}").expect(200)
    with receiver() as receives, ThreadPoolExecutor(AT_ONCE) as threads:
        tested = ConformanceBench(StackSender(work.api), receives, TIMEOUT_SECONDS)
        broken = [name for name in threads.map(lambda name: _broken(name, tested), RULES) if name]
    claims.hold("the stack keeps every rule", holds=not broken, rules=len(RULES), rules_broken=broken)


def _broken(name: str, tested: ConformanceBench) -> str | None:
    """Return what of a rule is not kept."""
    try:
        RULES[name](tested)
    except RuleBroken as error:
        return f"{name}: {error}"
    return None


if __name__ == "__main__":
    typer.run(main)
