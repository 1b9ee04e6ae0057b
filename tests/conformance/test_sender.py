"""A sender keeps every rule: ours, or that which `--sender` names."""

from __future__ import annotations

import pytest

from tests.conformance.bench import Bench
from tests.conformance.rules import RULES


@pytest.mark.parametrize("rule", RULES)
def test_the_sender_keeps_the_rule(bench: Bench, rule: str) -> None:
    RULES[rule](bench)
