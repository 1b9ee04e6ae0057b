"""Running cases, and what each of them has to keep."""

from __future__ import annotations

import io
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from typing import Any

from matchcast.http.events import complete
from matchcast.http.problems import Problem
from tests.fuzz.cases import Case, make
from tests.fuzz.counts import wrong_count
from tests.fuzz.world import HANDLERS, World, running
from tests.support.http_events import Answer, Context, answer

SLOWEST_SECONDS = 0.5
LONGEST_ANSWER = 200_000
LONGEST_LOG_LINE = 20_000
SUCCESS_MAY_BE_LONG = {"/openapi.json", "/docs"}


@dataclass
class Report:
    """What became of the cases: findings by seed, statuses, and the slowest and longest answers."""

    findings: dict[int, str] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    slowest: float = 0.0
    longest: int = 0


def run(seeds: Iterable[int], progress: Callable[[], object] = lambda: None) -> Report:
    """Run the cases of seeds, each in the same state of the world."""
    report = Report()
    with running() as world:
        for seed in seeds:
            finding = check(world, make(seed), report)
            if finding:
                report.findings[seed] = finding
            progress()
    return report


def check(world: World, case: Case, report: Report) -> str | None:
    """Run one case; return what is wrong with its answer, if anything is."""
    # Reading the processor's time costs as much as a whole case on some systems, so the wall's comes first.
    found, seconds = ask(world, case, time.perf_counter)
    if isinstance(found, Exception):
        return f"the handler raised {found!r}"
    if seconds > SLOWEST_SECONDS:
        # Once more by the processor's: the first run may have loaded something, or the machine may be busy.
        seconds = ask(world, case)[1]
    report.statuses[found.status] += 1
    report.slowest, report.longest = max(report.slowest, seconds), max(report.longest, len(found.body))
    if seconds > SLOWEST_SECONDS:
        return f"it took {seconds:.2f} s"
    return wrong_status(case, found) or wrong_body(case, found) or wrong_log(world) or wrong_count(world, case, found)


def ask(world: World, case: Case, clock: Callable[[], float] = time.process_time) -> tuple[Answer | Exception, float]:
    """Return the answer, or what the handler raised, and the seconds that it took by a clock."""
    world.begin()
    started = clock()
    try:
        with redirect_stdout(io.StringIO()) as printed:
            raw = HANDLERS[case.handler](case.event, Context())
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        return error, 0.0
    seconds = clock() - started
    world.metrics = tuple(printed.getvalue().splitlines())
    json.dumps(raw)
    return answer(raw), seconds


def wrong_status(case: Case, found: Answer) -> str | None:
    """Return why the status is none that this request may get."""
    if found.status < 500:
        return None
    headers = case.event.get("headers")
    prefer = str(headers.get("prefer")) if isinstance(headers, dict) else ""
    if found.status == 504 and "wait" in prefer.lower():
        return None
    return f"status {found.status}: {found.body[:300]!r}"


def wrong_body(case: Case, found: Answer) -> str | None:
    """Return what is wrong with the form or the length of the answer."""
    is_document = found.status == 200 and complete(case.event)["rawPath"].rstrip("/") in SUCCESS_MAY_BE_LONG
    if len(found.body) > LONGEST_ANSWER and not is_document:
        return f"the answer has {len(found.body)} bytes"
    if found.status < 400 or not found.body:
        return None
    body: Any = json.loads(found.body)
    if Problem.model_validate(body).model_dump(exclude_none=True) != body:
        return "the problem has members that the contract does not name"
    texts = [body["detail"], *(text for error in body.get("errors", []) for text in error.values())]
    if not all(text.isprintable() for text in texts):
        return f"the problem repeats control characters: {texts!r}"[:500]
    return None


def wrong_log(world: World) -> str | None:
    """Return what is wrong with the lines that were logged."""
    for line in world.logged.getvalue().splitlines():
        json.loads(line)
        if len(line) > LONGEST_LOG_LINE or not line.isprintable():
            return f"it logged {line[:300]!r}"
    return None
