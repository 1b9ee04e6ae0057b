"""One schedule: a stormy part with every actor and fault, then calm until all has settled, then the verdict."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from unittest import mock

from matchcast.domain import task as task_module
from matchcast.tasks import settle
from matchcast.tasks.sweep import HIDE_SECONDS
from tests.faults.calls import Weather
from tests.faults.clients import Client
from tests.faults.services import Operators, Pollers, sends_poison, sweep, sweeps
from tests.faults.witness import Findings
from tests.faults.world import World

_TENANTS = (("north",), ("north",), ("north", "south"))


@dataclass
class Verdict:
    """What one schedule showed."""

    seed: int
    findings: Findings
    steps: int = 0
    tasks: int = 0
    promised: int = 0
    trace: list[str] = field(default_factory=list)


class Bits:
    """Random bits from the schedule's seed, in place of the operating system's."""

    def __init__(self, rng: random.Random) -> None:
        self.randbits = rng.getrandbits


def run_schedule(seed: int, *, tracing: bool = False) -> Verdict:
    """Run the schedule of a seed."""
    rng = random.Random(seed)
    with _drawn_from(rng):
        world = World(rng)
        if tracing:
            world.calls.trace = []
        try:
            findings = _play(world)
        except (TimeoutError, AssertionError, ValueError, TypeError, KeyError) as error:
            findings = world.witness.findings
            findings.stuck.append(f"the schedule broke off: {error!r}")
        finally:
            world.scheduler.close()
    return Verdict(
        seed=seed,
        findings=findings,
        steps=world.scheduler.steps,
        tasks=len(world.tasks.all()),
        promised=len(world.witness.promised),
        trace=world.calls.trace or [],
    )


def _play(world: World) -> Findings:
    rng, scheduler = world.rng, world.scheduler
    Pollers(world)
    operators = Operators(world)
    operators.start()
    for tenant in rng.choice(_TENANTS):
        known: list[str] = []
        for number in range(rng.randint(1, 5)):
            client = Client(world, f"{tenant}-{number + 1}", tenant, known)
            scheduler.start(client._name, client.work, after=rng.uniform(0, 5))
    scheduler.start("sweep", sweeps(world))
    if rng.random() < 0.3:
        scheduler.start("poison", sends_poison(world))
    if rng.random() < 0.5:
        scheduler.start("mender", lambda: _mend(world))
    scheduler.run(until=rng.choice((60, 300, 3600)))
    _settle(world, operators)
    world.witness.findings.illegal += world.tasks.illegal
    return _verdict(world)


def _mend(world: World) -> None:
    world.scheduler.pause(world.rng.uniform(1, 120))
    world.predictor.is_mended = True


def _settle(world: World, operators: Operators) -> None:
    """Let every fault pass, and time go on, until nothing moves any more."""
    scheduler = world.scheduler
    world.calls.weather = Weather()
    world.calls.note("---- from here on nothing goes wrong")
    scheduler.run()
    for _ in range(2):
        # The second round sees what the first one left to be swept. Hidden letters are visible again by then.
        scheduler.start("operator", operators.once_more, after=HIDE_SECONDS)
        scheduler.run()
        scheduler.start("sweep", lambda: sweep(world), after=HIDE_SECONDS)
        scheduler.run()


def _verdict(world: World) -> Findings:
    found: list[Findings] = []
    dead = [message for letters in world.queues.dead.values() for message in letters]

    def look() -> None:
        found.append(world.witness.close(world.tasks.all(), world.track, dead, world.scheduler.true_time()))

    world.scheduler.start("reader", look)
    world.scheduler.run()
    return found[0]


@contextmanager
def _drawn_from(rng: random.Random) -> Iterator[None]:
    """Have the product's own chance (ids and jitter) drawn from the schedule's seed."""
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(task_module, "secrets", Bits(rng)))
        stack.enter_context(mock.patch.object(settle, "random", rng))
        yield
