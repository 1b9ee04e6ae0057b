"""That the simulated services and calls can be trusted: messages, deaths, faults and outages."""

from __future__ import annotations

from contextlib import suppress

import pytest
from botocore.exceptions import ClientError

from matchcast.domain.manifests import MODEL_MANIFEST_KEY
from matchcast.messages import encode
from tests.faults.calls import Unanswered
from tests.faults.scheduler import Environment, Killed
from tests.faults.stage import Stage
from tests.faults.threads import Lock
from tests.faults.weather import Outage, Weather
from tests.faults.wire import client
from tests.support.tasks import a_task

# The queues.


def test_a_message_hides_comes_again_and_moves_to_the_dead_letters() -> None:
    # GIVEN a message in a queue that gives up after two receives
    stage = Stage()
    queues = stage.world.queues
    lane = queues.queues["normal"]
    lane.most_receives = 2
    body = encode(a_task())

    def act() -> None:
        queues.put(lane, body)

        # WHEN it is received three times, each time after it was hidden
        # THEN it comes twice, and then it is a letter
        assert [len(queues.take("normal", 10)), len(queues.take("normal", 10))] == [1, 0]
        stage.world.scheduler.pause(lane.visibility)
        assert [message.receives for message in queues.take("normal", 10)] == [2]
        stage.world.scheduler.pause(lane.visibility)
        assert queues.take("normal", 10) == []
        assert [(letter.body, letter.cause) for letter in queues.letters()] == [(body, None)]

    stage.play(act)


def test_a_lock_is_waited_for_in_virtual_time() -> None:
    # GIVEN a process that holds a lock while it waits for something
    stage = Stage()
    scheduler = stage.world.scheduler
    lock, held = Lock(scheduler), list[str]()

    def hold(name: str) -> None:
        with lock:
            held.append(f"{name} has it")
            scheduler.pause(10)
            held.append(f"{name} gives it back")

    def act() -> None:
        # WHEN another thread wants it
        scheduler.start("first", lambda: hold("the first"))
        scheduler.pause(1)
        hold("the second")

        # THEN that has it after the first
        assert held == ["the first has it", "the first gives it back", "the second has it", "the second gives it back"]

    stage.play(act)


def test_messages_pass_away_after_their_retention() -> None:
    # GIVEN a message that was not received for long
    stage = Stage()
    queues = stage.world.queues

    def act() -> None:
        queues.put(queues.queues["high"], "a")
        stage.world.scheduler.pause(queues.queues["high"].retention + 1)

        # WHEN it could be received
        # THEN it is gone
        assert queues.take("high", 10) == []
        assert queues.queues["high"].messages == []

    stage.play(act)


# Calls.


@pytest.mark.parametrize(
    ("weather", "is_done"), [(Weather(refused=1.0), False), (Weather(answer_lost=1.0), True)], ids=["refused", "lost"]
)
def test_a_call_without_an_answer_took_effect_or_not(weather: Weather, is_done: bool) -> None:
    stage = Stage(weather)

    def act() -> None:
        with pytest.raises(Unanswered) as fault:
            stage.call()
        assert fault.value.is_done == is_done
        assert stage.environment.trouble_at == stage.world.calls.trouble_at > 0

    stage.play(act)


def test_a_process_dies_at_its_calls_or_when_its_time_is_over_and_makes_no_more() -> None:
    # GIVEN weather in which every call kills
    stage = Stage(Weather(killed=1.0))

    def act() -> None:
        # WHEN a process makes a call
        # THEN it dies, and what it would do on its way out has no effect
        with pytest.raises(Killed):
            stage.call()
        stage.world.calls.weather = Weather()
        with pytest.raises(Killed):
            stage.call()

    stage.play(act)
    slow = Stage()

    def take_long() -> None:
        # WHEN a process calls after its time is over, in good weather
        # THEN it dies
        slow.world.scheduler.pause(11)
        with pytest.raises(Killed):
            slow.call()

    slow.play(take_long, seconds=10)


def test_an_outage_ends() -> None:
    # GIVEN a table that is out of reach for a minute
    stage = Stage(Weather(outages=(Outage("table", 0, 60),)))

    def act() -> None:
        # WHEN it is called during the outage and after it
        # THEN
        with pytest.raises(Unanswered):
            stage.call()
        assert stage.call("queue") == "answer"
        stage.world.scheduler.pause(60)
        assert stage.call() == "answer"

    stage.play(act)


def test_an_unexpected_error_of_an_actor_ends_the_schedule() -> None:
    def act() -> None:
        raise KeyError("unexpected")

    with pytest.raises(KeyError, match="unexpected"):
        Stage().play(act)


# The bucket.


@pytest.mark.parametrize("is_damaged", [False, True])
def test_what_a_process_cannot_read_is_its_trouble_only_if_it_has_nothing_in_its_place(is_damaged: bool) -> None:
    # GIVEN a process that has read the manifest of the models, and another that has read nothing
    stage = Stage()
    bucket, reader, late = stage.world.bucket, Environment("reader"), Environment("late")
    stage.world.rng.random = lambda: 0.9 if is_damaged else 0.1  # type: ignore[method-assign]
    stage.world.rng.choice = lambda _: MODEL_MANIFEST_KEY  # type: ignore[method-assign, assignment, return-value]

    def act() -> None:
        with stage.world.scheduler.process(reader):
            client("s3").get_object(Bucket="data", Key=MODEL_MANIFEST_KEY)
        stage.world.scheduler.start("accident", bucket.lose)
        stage.world.scheduler.pause(1.5)

        # WHEN both read it while it is lost
        for environment in (reader, late):
            with stage.world.scheduler.process(environment), suppress(ClientError):
                client("s3").get_object(Bucket="data", Key=MODEL_MANIFEST_KEY)["Body"].read()

    # THEN only the second one is troubled
    stage.play(act)
    assert reader.trouble_at < 0 < late.trouble_at
