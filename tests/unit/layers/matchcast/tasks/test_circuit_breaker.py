"""The circuit breaker: each cause that is broken rests, is tried once, and holds up no other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from matchcast.errors import MatchcastError, ModelCrashed, ModelTooSlow
from matchcast.tasks.circuit_breaker import (
    FAILURES_TO_OPEN,
    LONGEST_REST_SECONDS,
    MOST_CIRCUITS,
    REST_SECONDS,
    TABLE,
    CircuitBreaker,
    stage_cause,
)
from tests.support.breakers import CHAMPION, FAULT, Clock, opened


def allows(breaker: CircuitBreaker, cause: str = CHAMPION) -> bool:
    return breaker.refusal(cause) is None


def test_a_breaker_is_closed_until_failures_come_in_a_row() -> None:
    breaker = opened(Clock(), FAILURES_TO_OPEN - 1)
    assert (breaker.is_open(CHAMPION), allows(breaker)) == (False, True)

    breaker.record(CHAMPION, None)
    for _ in range(FAILURES_TO_OPEN - 1):
        breaker.record(CHAMPION, FAULT)

    assert (breaker.is_open(CHAMPION), allows(breaker)) == (False, True)


def test_an_open_breaker_allows_nothing_until_it_has_rested_and_then_one_try() -> None:
    clock = Clock()
    breaker = opened(clock)
    assert (breaker.is_open(CHAMPION), allows(breaker)) == (True, False)

    clock.seconds += REST_SECONDS - 0.1
    assert not allows(breaker)
    clock.seconds += 0.1
    assert [allows(breaker) for _ in range(3)] == [True, False, False]


def test_a_try_that_fails_is_followed_by_another_rest() -> None:
    # GIVEN an open breaker that has rested and allowed one try
    clock = Clock()
    breaker = opened(clock)
    clock.seconds += REST_SECONDS
    assert allows(breaker)

    # WHEN the try fails
    breaker.record(CHAMPION, FAULT)

    # THEN the next rest is twice as long
    clock.seconds += 2 * REST_SECONDS - 0.1
    assert not allows(breaker)
    clock.seconds += 0.1
    assert allows(breaker)


def test_a_try_that_succeeds_closes_it() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.seconds += REST_SECONDS
    allows(breaker)

    breaker.record(CHAMPION, None)

    assert [breaker.is_open(CHAMPION), allows(breaker), allows(breaker)] == [False, True, True]


def test_rests_grow_up_to_a_limit_and_begin_anew_after_a_success() -> None:
    # GIVEN a breaker whose tries fail
    clock = Clock()
    breaker = opened(clock)
    rests = []
    for _ in range(6):
        started = clock.seconds
        while not allows(breaker):
            clock.seconds += REST_SECONDS
        rests.append(clock.seconds - started)
        breaker.record(CHAMPION, FAULT)

    # WHEN one succeeds, and it fails again later
    breaker.record(CHAMPION, None)
    for _ in range(FAILURES_TO_OPEN):
        breaker.record(CHAMPION, FAULT)

    # THEN
    assert rests == [30, 60, 120, 240, 240, 240]
    assert rests[-1] == LONGEST_REST_SECONDS
    clock.seconds += REST_SECONDS
    assert allows(breaker)


def test_no_cause_holds_up_another() -> None:
    breaker = opened(Clock(), cause=stage_cause("candidate"))

    assert breaker.refusal(stage_cause("candidate")) is FAULT
    assert [allows(breaker, cause) for cause in (CHAMPION, TABLE)] == [True, True]


def test_a_model_that_is_too_slow_once_opens_its_circuit() -> None:
    breaker = CircuitBreaker(monotonic=Clock())

    breaker.record(CHAMPION, ModelTooSlow("a minute"))

    assert breaker.is_open(CHAMPION)


def test_a_model_that_crashes_twice_opens_its_circuit() -> None:
    breaker = CircuitBreaker(monotonic=Clock())

    breaker.record(CHAMPION, ModelCrashed("status 3"))
    assert not breaker.is_open(CHAMPION)
    breaker.record(CHAMPION, None)
    breaker.record(CHAMPION, ModelCrashed("status 3"))
    assert not breaker.is_open(CHAMPION)
    breaker.record(CHAMPION, ModelCrashed("status 3"))

    assert breaker.is_open(CHAMPION)


def test_who_listens_is_told_once_that_a_circuit_opens_and_once_that_it_closes() -> None:
    told: list[tuple[str, MatchcastError | None]] = []
    breaker = CircuitBreaker(monotonic=Clock(), report=lambda cause, problem: told.append((cause, problem)))

    for problem in (*[FAULT] * 10, None, None):
        breaker.record(CHAMPION, problem)

    assert told == [(CHAMPION, FAULT), (CHAMPION, None)]


def test_stages_of_messages_cannot_fill_the_memory() -> None:
    breaker = CircuitBreaker(monotonic=Clock())

    for number in range(10 * MOST_CIRCUITS):
        breaker.record(stage_cause(str(number)), FAULT)

    assert len(breaker._circuits) == MOST_CIRCUITS


def test_of_many_threads_one_makes_the_try() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.seconds += REST_SECONDS

    with ThreadPoolExecutor(8) as threads:
        allowed = list(threads.map(lambda _: allows(breaker), range(64)))

    assert allowed.count(True) == 1
