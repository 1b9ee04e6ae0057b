"""The rules, by name: each function raises RuleBroken if a sender does not keep its rule, whatever it does else."""

from __future__ import annotations

from collections.abc import Callable

from tests.conformance import answers, messages
from tests.conformance.bench import Bench

RULES: dict[str, Callable[[Bench], None]] = {
    rule.__name__.replace("_", "-"): rule
    for rule in (
        messages.one_post_of_json,
        messages.three_headers,
        messages.a_type_and_a_time,
        messages.an_id_for_each_event,
        messages.one_id_in_all_attempts,
        messages.one_body_in_all_attempts,
        messages.the_time_of_the_attempt,
        messages.a_new_time_for_each_attempt,
        messages.signed_as_it_is_sent,
        messages.signed_anew_for_each_attempt,
        messages.signed_with_each_secret,
        messages.nothing_secret_is_sent,
        answers.a_2xx_ends_it,
        answers.a_410_ends_it,
        answers.other_answers_are_retried,
        answers.no_answer_is_retried,
        answers.redirects_are_not_followed,
        answers.retry_after_is_heeded,
        answers.long_answers_are_cut,
        answers.a_silent_receiver_is_left,
        answers.a_slow_receiver_is_left,
    )
}
