"""Signals that end a command: the first one interrupts it, the stop is not interrupted."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from matchcast_tools.laptop import signals


@pytest.fixture(autouse=True)
def _signals_restored() -> Any:
    before = {number: signal.getsignal(number) for number in signals.ENDING_SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", signals.ENDING_SIGNALS)
def test_the_first_signal_interrupts_and_further_ones_do_not(number: signal.Signals) -> None:
    signals.interrupt_by_signals()

    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)

    for again in signals.ENDING_SIGNALS:
        signal.raise_signal(again)
    assert signals.was_interrupted()


def test_what_a_library_makes_of_an_interrupt_is_still_one() -> None:
    # GIVEN an import that turns the interrupt into an error of its own
    signals.interrupt_by_signals()

    # WHEN
    # THEN
    with pytest.raises(KeyboardInterrupt):
        interrupted_import()


@signals.interrupted_as_one()
def interrupted_import() -> None:
    try:
        signal.raise_signal(signal.SIGTERM)
    except KeyboardInterrupt:
        raise ImportError("numpy cannot be imported") from None


def test_an_error_without_a_signal_stays_what_it_is() -> None:
    signals.interrupt_by_signals()

    with pytest.raises(ImportError), signals.interrupted_as_one():
        raise ImportError("numpy cannot be imported")


def test_nothing_interrupts_the_stop() -> None:
    # A background job of a shell starts with SIGINT ignored, so the handler is set here.
    outside = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with signals.uninterrupted():
            signal.raise_signal(signal.SIGINT)

        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, outside)
