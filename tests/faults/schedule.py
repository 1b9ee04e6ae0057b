"""One schedule: a stormy part with every actor and fault, then calm until all has settled, then the verdict."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from matchcast.domain.task import TaskStatus
from tests.faults.batch_clients import BatchClient
from tests.faults.batch_witness import BatchWitness
from tests.faults.callback_clients import CallbackClient
from tests.faults.clients import Client
from tests.faults.closing import close
from tests.faults.expressions import Unmodelled
from tests.faults.findings import Findings
from tests.faults.operators import Operators
from tests.faults.services import DeliverySweeps, Pollers, sweep, sweeps
from tests.faults.virtual import simulated
from tests.faults.weather import Weather
from tests.faults.world import World

_TENANTS = (("north",), ("north",), ("north",), ("north", "south"))
_DAY = 86_400.0
_HIDDEN_SECONDS = 300.0
"""Longer than anybody hides letters from others."""


@dataclass
class Verdict:
    """What one schedule showed."""

    seed: int
    findings: Findings
    steps: int = 0
    tasks: int = 0
    promised: int = 0
    events: int = 0
    """Final states with a callback."""
    trace: list[str] = field(default_factory=list)


def run_schedule(seed: int, *, tracing: bool = False) -> Verdict:
    """Run the schedule of a seed."""
    world = World(random.Random(seed))
    with simulated(world), _quiet():
        if tracing:
            world.calls.trace = []
        try:
            _play(world)
        except (Exception, Unmodelled) as error:
            world.witness.findings.stuck.append(f"the schedule broke off: {error!r}")
            if tracing:
                raise
        finally:
            world.scheduler.close()
    return Verdict(
        seed=seed,
        findings=world.witness.findings,
        steps=world.scheduler.steps,
        tasks=sum(1 for _ in world.table.items("task#")),
        promised=len(world.witness.promised),
        events=len(world.callbacks.finals),
        trace=world.calls.trace or [],
    )


def _play(world: World) -> None:
    rng, scheduler = world.rng, world.scheduler
    Pollers(world)
    operators = Operators(world)
    operators.start()
    tenants = rng.choice(_TENANTS)
    callback_clients = _callback_clients(world, tenants)
    clients, batch_clients = _clients(world, tenants), _batch_clients(world, tenants)
    _start_events(world)
    scheduler.run(until=rng.choice(world.plot.storms))
    _settle(world, operators)
    if rng.random() < 0.1:
        _age(world)
    for tenant, client in clients.items():
        scheduler.start(f"reader {tenant}", lambda client=client, tenant=tenant: _look(world, client, tenant))  # type: ignore[misc]
    for tenant, batch_client in batch_clients.items():
        scheduler.start(f"batch reader {tenant}", batch_client.look)
    for callback_client in callback_clients:
        scheduler.start(callback_client.name, callback_client.look)
    scheduler.run()
    close(world, world.queues.letters())
    if not world.is_ageing:
        world.batches.close()
        world.callbacks.close()
        for batch_client in batch_clients.values():
            batch_client.witness.close()
    if not world.is_ageing:
        world.poison.close(world.queues.letters())


def _clients(world: World, tenants: tuple[str, ...]) -> dict[str, Client]:
    """Start one or two clients of each tenant; return one of each."""
    found: dict[str, Client] = {}
    for tenant in tenants:
        known: list[str] = []
        for number in range(world.rng.choice((1, 1, 2))):
            client = found[tenant] = Client(world, f"{tenant}-{number + 1}", tenant, known)
            world.scheduler.start(client.name, client.work, after=world.rng.uniform(0, 5))
    return found


def _batch_clients(world: World, tenants: tuple[str, ...]) -> dict[str, BatchClient]:
    """Start one or two clients of each tenant's batches, if the schedule has any; return one of each."""
    found: dict[str, BatchClient] = {}
    witness = BatchWitness(world)
    for tenant in tenants if world.batches.is_on else ():
        known: list[str] = []
        for number in range(world.rng.choice((1, 1, 2))):
            client = found[tenant] = BatchClient(world, f"{tenant}-batch-{number + 1}", tenant, witness, known)
            world.scheduler.start(client.name, client.work, after=world.rng.uniform(0, 5))
    return found


def _callback_clients(world: World, tenants: tuple[str, ...]) -> list[CallbackClient]:
    """Start who sees to callbacks, of each tenant, and what delivers them, if the schedule has any."""
    if not world.callbacks.is_on:
        return []
    world.stream.start()
    DeliverySweeps(world)
    if world.rng.random() < world.plot.poisoned:
        world.scheduler.start("poison of callbacks", world.callbacks.send_poison)
    found = [CallbackClient(world, tenant) for tenant in tenants]
    for client in found:
        world.scheduler.start(client.name, client.work)
        if world.plot.days:
            world.scheduler.start(f"{client.name}, later", client.days_later)
    return found


def _start_events(world: World) -> None:
    """Start what else happens."""
    rng, scheduler = world.rng, world.scheduler
    scheduler.start("sweep", sweeps(world))
    if rng.random() < world.plot.poisoned:
        scheduler.start("poison", world.poison.send)
    if rng.random() < world.plot.mended:
        scheduler.start("mender", lambda: _mend(world), after=rng.uniform(1, 120))
    if rng.random() < world.plot.switched:
        with_model = rng.random() < 0.5
        scheduler.start("publisher", lambda: _publish(world, with_model=with_model), after=rng.uniform(1, 60))
    if world.is_losing:
        scheduler.start("accident", world.bucket.lose, after=rng.uniform(0, 60))


def _publish(world: World, *, with_model: bool) -> None:
    while not world.bucket.publish(world.invocations.new("publisher"), with_model=with_model):
        world.scheduler.pause(world.rng.uniform(1, 30))


def _mend(world: World) -> None:
    world.models.mended_at = world.scheduler.now


def _settle(world: World, operators: Operators) -> None:
    """Let every fault pass, and time go on, until nothing moves any more."""
    scheduler, stormy = world.scheduler, world.calls.weather
    world.bucket.restore()
    world.calls.weather = Weather(lag=stormy.lag, page=stormy.page)
    world.calls.note("---- from here on nothing goes wrong")
    scheduler.run()
    for _ in range(2):
        if not world.queues.letters() and not world.queues.batch_letters():
            break
        # The second round sees what the first one left to be swept. Hidden letters are visible again by then.
        scheduler.start("operator", operators.once_more, after=_HIDDEN_SECONDS)
        scheduler.run()
        scheduler.start("sweep", lambda: sweep(world), after=_HIDDEN_SECONDS)
        scheduler.run()


def _age(world: World) -> None:
    """Let days pass, and the table forget what nobody may read any more."""
    scheduler, days = world.scheduler, world.rng.choice((2, 5, 9, 16))

    def later() -> None:
        now = scheduler.true_time().timestamp()
        forgotten = world.table.forget(now) + world.webhooks.forget(now)
        world.calls.note(f"---- {days} days later the table has forgotten {forgotten} items")
        sweep(world)

    world.is_ageing = True
    scheduler.start("time", later, after=days * _DAY)
    scheduler.run()


def _look(world: World, client: Client, tenant: str) -> None:
    """Read all that was ever promised, and all lists."""
    for task_id, (owner, _) in list(world.witness.promised.items()):
        if owner == tenant:
            client.read(task_id)
    world.scheduler.pause(10)
    client.list_all(world.rng.choice((None, None, *TaskStatus)))


@contextmanager
def _quiet() -> Iterator[None]:
    """Have the product log nothing."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
