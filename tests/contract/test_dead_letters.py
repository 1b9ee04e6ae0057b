"""Dead letters: in memory and on SQS, by the same tests."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from typing import Any

import boto3
import pytest

from matchcast.adapters.in_memory import InMemoryLanes
from matchcast.adapters.sqs_dead_letters import SQSDeadLetters, _letter
from matchcast.adapters.sqs_lanes import SQSLanes
from matchcast.domain.task import Priority
from matchcast.errors import QueueUnavailable
from matchcast.messages import decode, encode
from matchcast.ports import DeadLetter, DeadLetters
from tests.support.tasks import a_task

HIDE_SECONDS = 60
Bury = Callable[[Priority, str, str | None], None]


@pytest.fixture
def urls(aws: dict[str, str]) -> dict[Priority, str]:
    return {Priority.HIGH: aws["HighDeadLetterQueueUrl"], Priority.NORMAL: aws["NormalDeadLetterQueueUrl"]}


@pytest.fixture(params=["in memory", "sqs"])
def parts(request: pytest.FixtureRequest) -> tuple[DeadLetters, Bury]:
    """Return the dead letters, and what buries a message; without a cause as the queue itself does it."""
    if request.param == "in memory":
        lanes = InMemoryLanes()
        return lanes, lambda lane, body, cause: lanes.bury(lane, body, cause, "task")
    urls = request.getfixturevalue("urls")
    sqs = boto3.client("sqs")

    def bury(lane: Priority, body: str, cause: str | None) -> None:
        if cause is None:
            sqs.send_message(QueueUrl=urls[lane], MessageBody=body)
        else:
            SQSLanes(sqs, {}, urls).bury(lane, body, cause, "task")

    return reader(urls), bury


def reader(urls: dict[Priority, str]) -> SQSDeadLetters:
    """Return the letters of the queues; a test of moto's queues has no need to wait for them."""
    return SQSDeadLetters(boto3.client("sqs"), urls, calls_at_once=4, wait_seconds=0)


def all_letters(letters: DeadLetters, lane: Priority) -> list[DeadLetter]:
    return list(letters.receive(lane, HIDE_SECONDS))


def test_letters_are_waited_for_because_a_short_answer_may_leave_some_out(urls: dict[Priority, str]) -> None:
    # GIVEN a client whose receives are noted
    client, receives = boto3.client("sqs"), list[dict[str, Any]]()
    client.meta.events.register("provide-client-params.sqs.ReceiveMessage", lambda params, **_: receives.append(params))

    # WHEN the letters of a lane are received
    list(SQSDeadLetters(client, urls).receive(Priority.HIGH, HIDE_SECONDS))

    # THEN
    assert {receive["WaitTimeSeconds"] for receive in receives} == {1}


def test_a_lane_without_dead_letters_has_none(parts: tuple[DeadLetters, Bury]) -> None:
    assert all_letters(parts[0], Priority.HIGH) == []


def test_a_letter_comes_back_with_its_body_and_its_cause(parts: tuple[DeadLetters, Bury]) -> None:
    # GIVEN a dead letter in each lane
    letters, bury = parts
    task = a_task()
    bury(Priority.HIGH, encode(task), "model-failed")
    bury(Priority.NORMAL, "no json", "invalid-message")

    # WHEN both lanes are read
    (high,), (normal,) = all_letters(letters, Priority.HIGH), all_letters(letters, Priority.NORMAL)

    # THEN
    assert (high.queue, decode(high.body), high.cause) == (Priority.HIGH, task, "model-failed")
    assert (normal.queue, normal.body, normal.cause) == (Priority.NORMAL, "no json", "invalid-message")
    assert high.sent_at.tzinfo is not None


def test_a_letter_that_the_queue_itself_buried_has_no_cause(parts: tuple[DeadLetters, Bury]) -> None:
    letters, bury = parts
    bury(Priority.NORMAL, "{}", None)

    assert [letter.cause for letter in all_letters(letters, Priority.NORMAL)] == [None]


def test_more_letters_than_one_receive_takes_come_once_each(parts: tuple[DeadLetters, Bury]) -> None:
    letters, bury = parts
    for number in range(23):
        bury(Priority.NORMAL, f"letter {number}", "invalid-message")

    found = all_letters(letters, Priority.NORMAL)

    assert sorted(letter.body for letter in found) == sorted(f"letter {number}" for number in range(23))
    assert len({letter.message_id for letter in found}) == 23


def test_a_deleted_letter_is_gone_and_the_others_are_not(parts: tuple[DeadLetters, Bury]) -> None:
    letters, bury = parts
    bury(Priority.NORMAL, "one", None)
    bury(Priority.NORMAL, "two", None)

    for letter in all_letters(letters, Priority.NORMAL):
        letters.delete(letter) if letter.body == "one" else letters.release(letter)

    assert [letter.body for letter in all_letters(letters, Priority.NORMAL)] == ["two"]


def test_a_released_letter_can_be_received_again_at_once(parts: tuple[DeadLetters, Bury]) -> None:
    letters, bury = parts
    bury(Priority.HIGH, "one", "model-failed")
    (first,) = all_letters(letters, Priority.HIGH)
    letters.release(first)

    (second,) = all_letters(letters, Priority.HIGH)

    assert (second.message_id, second.body, second.cause) == (first.message_id, "one", "model-failed")


def test_a_received_letter_is_hidden_from_other_readers(urls: dict[Priority, str]) -> None:
    # Only on SQS: in memory no letter is ever hidden.
    sqs = boto3.client("sqs")
    letters, other = reader(urls), reader(urls)
    sqs.send_message(QueueUrl=urls[Priority.HIGH], MessageBody="one")

    assert len(all_letters(letters, Priority.HIGH)) == 1
    assert all_letters(other, Priority.HIGH) == []


def fill(urls: dict[Priority, str], letters: int) -> None:
    """Put letters into the high lane's queue."""
    sqs = boto3.client("sqs")
    for number in range(letters):
        sqs.send_message(QueueUrl=urls[Priority.HIGH], MessageBody=f"letter {number}")


def test_letters_are_received_by_more_calls_at_once_as_there_are_more(urls: dict[Priority, str]) -> None:
    # GIVEN many letters, and a count of the calls
    fill(urls, 120)
    letters, calls = reader(urls), Counter[str]()
    letters._client.meta.events.register("before-call", lambda model, **_: calls.update([model.name]))
    # WHEN they are received, in rounds of 1, 2, 4, 4 and 4 calls, and 4 calls and one that find no more
    received = all_letters(letters, Priority.HIGH)
    # THEN
    assert (len(received), calls) == (120, {"ReceiveMessage": 20})
    # WHEN they are handed back
    letters.release(*received)
    # THEN it is ten a call, and all are there again
    assert calls == {"ReceiveMessage": 20, "ChangeMessageVisibilityBatch": 12}
    assert len(all_letters(letters, Priority.HIGH)) == 120


def test_one_answer_without_letters_does_not_end_the_receive(urls: dict[Priority, str]) -> None:
    # GIVEN a queue that answers twice with nothing while it has letters, as SQS may
    fill(urls, 30)
    letters, answers = reader(urls), itertools.count()

    def forget(parsed: dict[str, Any], **_: Any) -> None:
        if next(answers) in (0, 2):
            for message in parsed.pop("Messages", []):
                letters.release(_letter(Priority.HIGH, message))

    letters._client.meta.events.register("after-call.sqs.ReceiveMessage", forget)
    # WHEN its letters are received
    # THEN
    assert len(all_letters(letters, Priority.HIGH)) == 30


def test_letters_that_come_twice_are_yielded_once_and_the_receive_ends(urls: dict[Priority, str]) -> None:
    # GIVEN letters that no receive hides, so that each comes again and again
    fill(urls, 7)
    letters = reader(urls)
    # WHEN they are received
    found = list(letters.receive(Priority.HIGH, 0))
    # THEN
    assert sorted(letter.body for letter in found) == [f"letter {number}" for number in range(7)]


def test_a_reader_that_stops_leaves_no_letter_hidden_that_it_has_not_seen(urls: dict[Priority, str]) -> None:
    # GIVEN letters of which ten are received at once
    fill(urls, 10)
    letters = reader(urls)
    # WHEN a reader takes three and stops
    with closing(letters.receive(Priority.HIGH, HIDE_SECONDS)) as received:
        seen = {next(received).message_id for _ in range(3)}
    # THEN the other seven are visible
    rest = {letter.message_id for letter in all_letters(letters, Priority.HIGH)}
    assert (len(rest), rest & seen) == (7, set())


def test_a_letter_that_was_deleted_meanwhile_keeps_no_other_from_being_released(
    urls: dict[Priority, str],
) -> None:
    # GIVEN two received letters, of which an operator has deleted one
    fill(urls, 2)
    letters = reader(urls)
    first, second = all_letters(letters, Priority.HIGH)
    letters.delete(first)
    # WHEN both are released
    letters.release(first, second)
    # THEN
    assert [letter.message_id for letter in all_letters(letters, Priority.HIGH)] == [second.message_id]


def test_a_missing_queue_is_reported_as_unavailable(urls: dict[Priority, str]) -> None:
    # GIVEN queues that do not exist
    gone = reader({lane: f"{url}-gone" for lane, url in urls.items()})
    letter = DeadLetter(Priority.HIGH, "message", "receipt", "{}", None, a_task().created_at)

    # WHEN they are called
    for call in (
        lambda: list(gone.receive(Priority.HIGH, HIDE_SECONDS)),
        lambda: gone.release(letter),
        lambda: gone.delete(letter),
    ):
        # THEN
        with pytest.raises(QueueUnavailable, match="dead letters"):
            call()
