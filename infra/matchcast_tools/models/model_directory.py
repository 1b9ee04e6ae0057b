"""A registered model as the files of its MLflow directory, for models that are served as Python code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from matchcast.adapters.pyfunc_model import FOLDER, MLMODEL
from matchcast.errors import ReleaseRefused

if TYPE_CHECKING:
    from matchcast_tools.models.registry import RegisteredModel

LOCK = Path(__file__).with_name("requirements-pyfunc.txt")
"""What the image has that serves such models: a link to the image's own lock, so that the wheel contains it."""

LARGEST_BYTES = 200_000_000
"""Loading holds all files in memory once and on disk once; a function has 1769 MB and 512 MB of them by default."""

_REQUIREMENTS = FOLDER + "requirements.txt"
# The image has MLflow without its server, which no model needs.
_PROVIDED = {"mlflow": "mlflow-skinny"}


def model_directory(model: RegisteredModel) -> dict[str, bytes]:
    """Return every file of a model's directory, under `model/`; the same version gives the same files.

    Raises
    ------
    ReleaseRefused
        If they are too many bytes for a function, or the model requires a library that the image lacks.
    """
    what = f"{model.at.name} version {model.at.version}"
    paths = {FOLDER + path.relative_to(model.folder).as_posix(): path for path in _paths(model.folder)}
    size = sum(path.stat().st_size for path in paths.values())
    if size > LARGEST_BYTES:
        raise ReleaseRefused(
            f"The directory of {what} has {size / 1e6:.0f} MB; a function takes {LARGEST_BYTES / 1e6:.0f}. "
            "Log the model without what it does not need to predict."
        )
    files = {name: path.read_bytes() for name, path in sorted(paths.items())}
    if MLMODEL not in files:
        raise ReleaseRefused(f"{what} has no {MLMODEL} file, so it is no model directory. Log and register it again.")
    lacking = sorted(set(_required(files.get(_REQUIREMENTS, b"").decode())) - _provided())
    if lacking:
        raise ReleaseRefused(
            f"{what} requires libraries that the images for pyfunc lack: {', '.join(lacking)}. Add them to "
            "functions/run_inference/requirements-pyfunc.in, run infra/lock.sh and deploy; or, if it works without "
            "them, log it with `pip_requirements=` that leave them out."
        )
    return files


def _paths(folder: Path) -> Iterator[Path]:
    """Yield the files of a directory, without the bytecode that loading it has left there."""
    for path in folder.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc":
            yield path


def _required(text: str) -> Iterator[str]:
    """Yield the names of the libraries in a requirements file; options and files of others are left out."""
    for line in text.splitlines():
        bare = re.sub(r"(^|\s)#.*$", "", line).strip()
        if not bare or bare.startswith("-"):
            continue
        try:
            requirement = Requirement(bare)
        except InvalidRequirement:
            continue
        if requirement.marker is None or requirement.marker.evaluate():
            name = canonicalize_name(requirement.name)
            yield _PROVIDED.get(name, name)


def _provided() -> set[str]:
    """Return the names of the libraries that the image has."""
    return set(re.findall(r"^([a-z0-9-]+)==", LOCK.read_text(), re.MULTILINE))
