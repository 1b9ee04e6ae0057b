"""The real handlers in virtual time: what the product takes from its process is taken from the schedule instead.

That is: the clock, waiting, chance, threads, settings, SDK clients, and the parts that the composition
root keeps for a process. It is found by looking through the loaded modules, so that new code is in virtual time too.
"""

from __future__ import annotations

import gc
import importlib
import itertools
import os
import pkgutil
import random
import secrets
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, tzinfo
from functools import cache
from queue import SimpleQueue
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any
from unittest import mock

from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

from matchcast import bootstrap, observability
from matchcast.http.cursors import Cursors
from matchcast.settings import Settings
from tests.faults import wire
from tests.faults.batch_sizes import batch_sizes, folder_of
from tests.faults.scheduler import Killed
from tests.faults.stands import Stand
from tests.faults.threads import AtOnce, Lock, Mailbox, Pending, Thread, Threads
from tests.support.releases import parse

if TYPE_CHECKING:
    from tests.faults.world import World

_world: World
_PROCESS = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "simulated",
    "AWS_SECRET_ACCESS_KEY": "simulated",
    "AWS_EC2_METADATA_DISABLED": "true",
    "POWERTOOLS_METRICS_DISABLED": "true",
}
_settings: dict[tuple[type[Settings], str], Settings] = {}
_ticks = itertools.count(1)


class Clock(datetime):
    """`datetime`, of which the present is virtual; everything it makes is a plain one."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        """Return the virtual time by the process's clock."""
        return _world.scheduler.utc_now().astimezone(tz or UTC)

    fromisoformat = datetime.fromisoformat  # type: ignore[assignment]
    fromtimestamp = datetime.fromtimestamp  # type: ignore[assignment]


def monotonic() -> float:
    """Return the virtual seconds, which no clock's error changes."""
    return 1000.0 + _world.scheduler.now


def sleep(seconds: float) -> None:
    """Wait in virtual time."""
    _world.scheduler.pause(seconds)


def wall() -> float:
    """Return the virtual time since 1970."""
    return _world.scheduler.utc_now().timestamp()


def perf_counter() -> float:
    """Return a number whose differences are never the same, so that every computation is told from others."""
    return float(next(_ticks) ** 2) / 1000


def chance() -> float:
    """Return a number from 0 to 1 by the schedule's seed."""
    return _world.rng.random()


_TIME = Stand(lambda: time, monotonic=monotonic, sleep=sleep, time=wall, perf_counter=perf_counter)
_RANDOM = Stand(lambda: _world.rng)
_SECRETS = Stand(
    lambda: secrets,
    randbits=lambda bits: _world.rng.getrandbits(bits),  # noqa: PLW0108 - there is no world yet
    token_bytes=lambda size: _world.rng.randbytes(size),  # noqa: PLW0108 - nor here
)
_THREADING = Stand(
    lambda: threading,
    Thread=lambda **given: Thread(_world.scheduler, **given),
    Lock=lambda: Lock(_world.scheduler),
)
_UUID = Stand(lambda: uuid, uuid4=lambda: uuid.UUID(int=_world.rng.getrandbits(128), version=4))
_TEMPFILE = Stand(lambda: tempfile, gettempdir=lambda: folder_of(_world.scheduler.me(), _world))
_NAMES: dict[str, tuple[Any, Any]] = {
    "uuid": (uuid, _UUID),
    "tempfile": (tempfile, _TEMPFILE),
    "threading": (threading, _THREADING),
    "ThreadPoolExecutor": (ThreadPoolExecutor, lambda *_, **__: Threads(_world.scheduler, _world.rng)),
    "Future": (Future, lambda: Pending(_world.scheduler)),
    "SimpleQueue": (SimpleQueue, lambda: Mailbox(_world.scheduler)),
    "datetime": (datetime, Clock),
    "time": (time, _TIME),
    "random": (random, _RANDOM),
    "secrets": (secrets, _SECRETS),
    "random_bytes": (secrets, _SECRETS),
}
_OTHERS: dict[tuple[str, str], Any] = {
    ("matchcast.webhooks.deliver", "ThreadPoolExecutor"): lambda *_: AtOnce(_world.scheduler, _world.rng),
}
"""Where the threads of a map have to run at the same time: a receiver that hangs would hold up all others."""
_DEFAULTS: list[tuple[Any, Any]] = [
    (time.monotonic, monotonic),
    (time.sleep, sleep),
    (time.time, wall),
    (time.perf_counter, perf_counter),
    (random.random, chance),
    (random.uniform, lambda low, high: _world.rng.uniform(low, high)),  # noqa: PLW0108 - nor here
]


@contextmanager
def simulated(world: World) -> Iterator[None]:
    """Have the product live in a schedule for a while."""
    global _world, _ticks  # a process runs one schedule at a time
    _world, _ticks = world, itertools.count(1)
    patches = _patches()
    for owner, name, value, _ in patches:
        setattr(owner, name, value)
    # Else generators of processes that have ended would be closed at any time, and by any actor.
    gc.disable()
    unraisable, sys.unraisablehook = sys.unraisablehook, _say_nothing_of_the_dead
    try:
        with mock.patch.dict(os.environ, {**_PROCESS, **world.environ}), batch_sizes(world):
            yield
    finally:
        for owner, name, _, real in patches:
            setattr(owner, name, real)
        sys.unraisablehook = unraisable
        gc.enable()


def _say_nothing_of_the_dead(unraisable: Any) -> None:
    if not issubclass(unraisable.exc_type, Killed):
        sys.__unraisablehook__(unraisable)


@cache
def _patches() -> list[tuple[Any, str, Any, Any]]:
    """Return what is replaced: where, its name, by what, and what it was."""
    found: list[tuple[Any, str, Any]] = []
    for info in pkgutil.walk_packages(bootstrap.__path__, bootstrap.__name__ + "."):
        found += _parts(importlib.import_module(info.name))
    sdk = [importlib.import_module(f"botocore.{name}") for name in ("endpoint", "retries.standard")]
    product = [
        module for name, module in sorted(sys.modules.items()) if name.split(".")[0] in ("matchcast", "functions")
    ]
    for module in [*sdk, *product]:
        found += _of_module(module)
    quota = importlib.import_module("botocore.retries.quota").RetryQuota
    found.append((quota, "acquire", lambda _self, _amount: True))  # clients are shared, and so would be its quota
    found.append(
        (observability, "single_metric", lambda **_: nullcontext(Stand(lambda: None, add_dimension=lambda **_: None)))
    )
    for name in ("add_metric", "add_dimension", "add_dimensions", "flush_metrics"):
        found.append((AmazonCloudWatchEMFProvider, name, lambda *_, **__: None))
    return [(owner, name, value, getattr(owner, name)) for owner, name, value in found]


def _of_module(module: ModuleType) -> Iterator[tuple[Any, str, Any]]:
    for name, (real, other) in _NAMES.items():
        if vars(module).get(name) is real:
            yield module, name, _OTHERS.get((module.__name__, name), other)
    for value in list(vars(module).values()):
        if getattr(value, "__module__", None) != module.__name__:
            continue
        functions = vars(value).values() if isinstance(value, type) else [value]
        for function in functions:
            if isinstance(function, FunctionType):
                yield from _of_function(function)


def _of_function(function: FunctionType) -> Iterator[tuple[Any, str, Any]]:
    """Replace the clocks among the defaults of a function."""

    def other(value: Any) -> Any:
        # Bound methods such as random.random are equal, and not the same.
        return next((other for real, other in _DEFAULTS if callable(value) and value == real), value)

    if function.__defaults__ and any(other(value) is not value for value in function.__defaults__):
        yield function, "__defaults__", tuple(map(other, function.__defaults__))
    if function.__kwdefaults__ and any(other(value) is not value for value in function.__kwdefaults__.values()):
        yield function, "__kwdefaults__", {name: other(value) for name, value in function.__kwdefaults__.items()}


def _parts(module: ModuleType) -> Iterator[tuple[Any, str, Any]]:
    """Replace what a module of the composition root makes, so that each process has its own."""
    others = {
        "HttpsPoster": lambda **_: _world.receivers,
        "client": wire.client,
        "cursors": lambda: Cursors(lambda: b"key"),
        "loader_for": lambda runtime, *_: _world.models.loader(runtime),
        "parse_features": parse,
        "report_refused": lambda *_: None,
    }
    for name, value in list(vars(module).items()):
        if name in others:
            yield module, name, others[name]
        elif hasattr(value, "cache_clear") and value.__module__ == module.__name__:
            yield module, name, _per_process(f"{module.__name__}.{name}", value.__wrapped__)
        elif isinstance(value, type) and issubclass(value, Settings):
            yield module, name, _kept(value)


def _per_process(name: str, make: Callable[[], Any]) -> Callable[[], Any]:
    def made() -> Any:
        environment = _world.scheduler.me().environment
        assert environment is not None, f"{name} outside of any process"
        if name not in environment.made:
            environment.made[name] = make()
        return environment.made[name]

    return made


def _kept(settings: type[Settings]) -> Callable[[], Settings]:
    """Read settings once for each environment: reading is slow, and the same each time."""

    def read() -> Settings:
        key = settings, repr(sorted(_world.environ.items()))
        if key not in _settings:
            _settings[key] = settings()
        return _settings[key]

    return read
