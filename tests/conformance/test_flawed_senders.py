"""The suite notices: a sender with a flaw breaks the rule of its flaw, and no other."""

from __future__ import annotations

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from tests.conformance.bench import Bench, RuleBroken
from tests.conformance.flawed import FLAWS, sender_with
from tests.conformance.receiver import Request, receiver
from tests.conformance.rules import RULES
from tests.conformance.signatures import new_secret, signature, verifies
from tests.support.template import ROOT

AT_ONCE = 8


def broken_by(flaw: str) -> set[str]:
    """Return the rules that a sender with a flaw does not keep."""
    broken = set()
    with receiver() as receives:
        bench = Bench(sender_with(flaw), receives, 0.5)
        for name, rule in RULES.items():
            try:
                rule(bench)
            except RuleBroken:
                broken.add(name)
    return broken


def test_each_flaw_breaks_its_rule_and_no_other() -> None:
    # WHEN
    flaws = ["", *FLAWS]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        broken = dict(zip(flaws, pool.map(broken_by, flaws), strict=True))
    # THEN
    assert broken == {"": set()} | {flaw: {rule} for flaw, rule in FLAWS.items()}


def test_each_rule_is_broken_by_some_flaw() -> None:
    assert set(FLAWS.values()) == set(RULES)


@pytest.mark.parametrize(("flaw", "code"), [("", 0), ("4xx-ends", 1)])
def test_the_suite_can_be_pointed_at_a_command(flaw: str, code: int) -> None:
    # WHEN
    rules = ["one-id-in-all-attempts", "other-answers-are-retried"]
    suite = [f"tests/conformance/test_sender.py::test_the_sender_keeps_the_rule[{rule}]" for rule in rules]
    sender = f"{sys.executable} -m tests.conformance.flawed {flaw}"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *suite, "--sender", sender],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    # THEN
    assert done.returncode == code, done.stdout
    failed = re.findall(r"^FAILED .*\[(.+?)\]", done.stdout, re.MULTILINE)
    assert failed == (["other-answers-are-retried"] if flaw else [])


def a_request(secret: str, body: bytes = b'{"type":"task.succeeded"}') -> Request:
    now = str(int(datetime.now(UTC).timestamp()))
    headers = [
        ("Webhook-Id", "evt_1"),
        ("Webhook-Timestamp", now),
        ("Webhook-Signature", f"v1a,AAAA {signature(secret, 'evt_1', now, body)}"),
    ]
    return Request("POST", "/", headers, body, 0.0)


def test_signatures_are_those_of_the_package_standardwebhooks() -> None:
    # GIVEN
    secret = new_secret()
    request = a_request(secret)
    at = datetime.fromtimestamp(int(request.header("webhook-timestamp")), UTC)
    # WHEN
    theirs = Webhook(secret).sign("evt_1", at, request.body.decode())
    # THEN
    assert request.header("webhook-signature").split(" ")[1] == theirs
    assert verifies(request, secret)
    Webhook(secret).verify(request.body, dict(request.headers))


@pytest.mark.parametrize("changed", ["body", "id", "timestamp", "secret"])
def test_what_was_changed_by_one_character_does_not_verify(changed: str) -> None:
    # GIVEN
    secret = new_secret()
    request = a_request(secret)
    headers = dict(request.headers)
    # WHEN
    match changed:
        case "body":
            request.body = request.body.replace(b"succeeded", b"succeedee")
        case "id":
            headers["Webhook-Id"] += "0"
        case "timestamp":
            headers["Webhook-Timestamp"] = str(int(headers["Webhook-Timestamp"]) + 1)
        case _:
            secret = new_secret()
    request.headers = list(headers.items())
    # THEN
    assert not verifies(request, secret)
