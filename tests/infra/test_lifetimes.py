"""How long tasks, messages and letters live: bounds that hold together, computed from the template and the code."""

from __future__ import annotations

from typing import Any

import pytest

from matchcast.adapters import lambda_inference
from matchcast.predictions.predict_now import SAFETY_NET_SECONDS
from matchcast.settings import AcceptTaskSettings
from matchcast.tasks.settle import FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS, RENEW_AFTER_RECEIVES
from matchcast_tools.cli.dead_letters import LONGEST_LIFETIME_SECONDS
from tests.support.template import load

DAY = 86_400
LONGEST_SQS_DELAY = 900
LANES = ("High", "Normal")


@pytest.fixture
def resources() -> dict[str, Any]:
    found: dict[str, Any] = load()["Resources"]
    return found


@pytest.fixture
def longest_lifetime() -> int:
    return int(load()["Parameters"]["TaskLifetimeSeconds"]["MaxValue"])


@pytest.mark.parametrize("lane", LANES)
def test_a_message_that_nobody_receives_outlives_its_task(
    resources: dict[str, Any], longest_lifetime: int, lane: str
) -> None:
    retention = resources[f"{lane}Queue"]["Properties"]["MessageRetentionPeriod"]

    assert retention >= longest_lifetime + SAFETY_NET_SECONDS + DAY / 2


@pytest.mark.parametrize("lane", LANES)
def test_a_dead_letter_is_there_for_a_week_however_long_its_message_waited(
    resources: dict[str, Any], lane: str
) -> None:
    retention = resources[f"{lane}Queue"]["Properties"]["MessageRetentionPeriod"]
    letters = resources[f"{lane}DeadLetterQueue"]["Properties"]["MessageRetentionPeriod"]

    # A letter that SQS moved keeps the time at which its message was sent.
    assert letters - retention >= 7 * DAY


@pytest.mark.parametrize("lane", LANES)
def test_an_outage_uses_up_no_message_before_its_task_ends(resources: dict[str, Any], lane: str) -> None:
    # GIVEN what a queue allows a message
    properties = resources[f"{lane}Queue"]["Properties"]
    receives = properties["RedrivePolicy"]["maxReceiveCount"]

    # WHEN a message is postponed at each of its receives, a copy takes its place
    waits = [min(FIRST_RETRY_SECONDS * 2 ** (n - 1), LONGEST_RETRY_SECONDS) for n in range(1, RENEW_AFTER_RECEIVES)] + [
        LONGEST_RETRY_SECONDS
    ]

    # THEN that is long before the queue gives it up, and before it is too old: nothing but its lifetime ends a task
    assert receives >= 2 * RENEW_AFTER_RECEIVES
    assert 1.5 * sum(waits) < properties["MessageRetentionPeriod"] / 10
    assert LONGEST_RETRY_SECONDS <= LONGEST_SQS_DELAY


def test_crashes_use_up_a_message_within_hours(resources: dict[str, Any]) -> None:
    properties = resources["NormalQueue"]["Properties"]
    hours = properties["RedrivePolicy"]["maxReceiveCount"] * properties["VisibilityTimeout"] / 3600

    assert hours < 3


def test_the_safety_net_of_a_waiting_request_comes_after_its_invocation(resources: dict[str, Any]) -> None:
    timeout = resources["RunInferenceFunction"]["Properties"]["Timeout"]

    assert timeout < SAFETY_NET_SECONDS
    assert timeout >= lambda_inference.READ_TIMEOUT_SECONDS


def test_template_settings_and_redrive_have_the_same_longest_lifetime(longest_lifetime: int) -> None:
    field = AcceptTaskSettings.model_fields["task_lifetime_seconds"]

    assert longest_lifetime == LONGEST_LIFETIME_SECONDS
    assert longest_lifetime in [getattr(bound, "le", None) for bound in field.metadata]
