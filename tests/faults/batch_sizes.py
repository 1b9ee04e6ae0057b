"""Small batches with all that large ones have: many parts, several windows, and files that go in pieces."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from unittest import mock

from matchcast.adapters.s3_files import S3Files
from matchcast.batches import part_rows
from tests.faults.scheduler import Actor

if TYPE_CHECKING:
    from tests.faults.world import World

_FOLDERS = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
_PIECE_BYTES = (1500, 16 * 1024 * 1024)


class _Sizes(tuple[int, ...]):
    """Rows that a part may have. A model is never as fast twice, so each split would decide otherwise."""

    world: World

    def __iter__(self) -> Iterator[int]:
        return iter(self.world.rng.sample(range(3, 6), 3))


def folder_of(actor: Actor, world: World) -> str:
    """Return the folder of an actor's process for temporary files: each function has a disk of its own."""
    environment = actor.environment
    assert environment is not None
    if "folder" not in environment.made:
        environment.made["folder"] = tempfile.mkdtemp(dir=world.folder)
    found: str = environment.made["folder"]
    return found


@contextmanager
def batch_sizes(world: World) -> Iterator[None]:
    """Have parts of three to five rows, files in pieces in some schedules, and a folder for temporary ones."""
    sizes = _Sizes((5, 4, 3))
    sizes.world = world
    with (
        tempfile.TemporaryDirectory(dir=_FOLDERS) as world.folder,
        mock.patch.object(part_rows, "SIZES", sizes),
        mock.patch.object(part_rows, "_AFTER_A_FAILURE", 4),
        mock.patch.object(S3Files.__init__, "__defaults__", (world.rng.choice(_PIECE_BYTES),)),
    ):
        yield
