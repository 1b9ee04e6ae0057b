"""What a broken copy of the product is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

from tests.faults.tampering import Broken
from tests.faults.wire import Wire


@dataclass(frozen=True)
class Mutant:
    """One broken copy: `name_of` of `owner` is replaced."""

    name: str
    owner: Any
    attribute: str
    broken: Any

    @contextmanager
    def alive(self) -> Iterator[None]:
        """Break the product for a while."""
        if isinstance(self.owner, dict):
            with mock.patch.dict(self.owner, {self.attribute: self.broken}):
                yield
        else:
            with mock.patch.object(self.owner, self.attribute, self.broken):
                yield


def on_the_wire(name: str, broken: Broken) -> Mutant:
    """Return a mutant that sends something else."""
    return Mutant(name, Wire, "_answered", broken)
