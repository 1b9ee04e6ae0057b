"""A published model directory, served as a function serves it, and without what this checkout has.

In this process a model may find modules that its image will not have, such as those of the folder that it was
trained in. What it answers in a process that knows only the product and the libraries, an image answers too.
"""

from __future__ import annotations

import site
from collections.abc import Mapping
from pathlib import Path

import matchcast
from matchcast.adapters.pyfunc_model import load_pyfunc
from matchcast.domain.manifests import PublishedModel
from matchcast.ports import Model

SECONDS = 300.0
"""How long a model may take to load, and then for thousands of rows at once."""
_PACKAGE = Path(matchcast.__file__).resolve().parent.parent


def load_isolated(published: PublishedModel, files: Mapping[str, bytes]) -> Model:
    """Load a published model directory in a process that can import the product and the installed libraries.

    Raises
    ------
    ReleaseRefused
        If the model cannot be loaded there.
    """
    libraries = [path for path in (*site.getsitepackages(), site.getusersitepackages()) if Path(path).is_dir()]
    return load_pyfunc(published, files, seconds=SECONDS, import_path=[str(_PACKAGE), *libraries])
