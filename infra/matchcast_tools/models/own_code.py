"""The modules that a registered model contains: visible to that model alone, where several are open in one process.

The tools look into models, which they export; functions only run them, each in a process of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType


class OwnCode:
    """The modules under one folder; outside of `visible` neither they nor the folder can be imported.

    Without this a newer version would be given the modules of the one before, which Python keeps by name.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._paths: list[str] = []
        self._modules: dict[str, ModuleType] = {}

    @contextmanager
    def visible(self) -> Iterator[None]:
        """Let the block import them; what it adds to the import path or imports from the folder is theirs too.

        The interpreter has one table of modules, so no two threads may do this at once.
        """
        hidden = {name: sys.modules[name] for name in self._modules if name in sys.modules}
        sys.path[:0] = self._paths
        sys.modules.update(self._modules)
        try:
            yield
        finally:
            self._paths = [path for path in sys.path if self._is_own(path)]
            sys.path[:] = [path for path in sys.path if not self._is_own(path)]
            self._modules = {name: module for name, module in list(sys.modules.items()) if self._has(module)}
            for name in self._modules:
                del sys.modules[name]
            sys.modules.update(hidden)

    def _has(self, module: ModuleType) -> bool:
        # A package without an __init__.py has no file, only a path.
        places = [getattr(module, "__file__", None), *(getattr(module, "__path__", None) or ())]
        return any(isinstance(place, str) and self._is_own(place) for place in places)

    def _is_own(self, path: str) -> bool:
        return Path(path).is_relative_to(self._folder)
