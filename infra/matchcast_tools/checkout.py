"""Where the command finds the project's checkout, and where it keeps local state.

Both depend on the working directory and the environment, so they are looked up when they are needed, never at import.
"""

from __future__ import annotations

import os
from pathlib import Path

from matchcast_tools.errors import EnvironmentProblem

LOCAL_VARIABLE = "MATCHCAST_LOCAL"
"""Names the folder of all local state."""
CONTENTS = ("template.yaml", "layers/core/python/matchcast")
"""What the root of a checkout contains."""


def find_checkout() -> Path | None:
    """Return the checkout that the working directory is in, or None."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if all((folder / name).exists() for name in CONTENTS):
            return folder
    return None


def require_checkout() -> Path:
    """Return the checkout that the working directory is in.

    Raises
    ------
    EnvironmentProblem
        If it is in none.
    """
    found = find_checkout()
    if found is None:
        raise EnvironmentProblem(
            f"{Path.cwd()} is not in a checkout of matchcast, which the laptop stack is made from. "
            "Clone the repository and run the command in it."
        )
    return found


def local_folder() -> Path:
    """Return the folder of local state: what `MATCHCAST_LOCAL` names, or `.local` of the checkout or of this folder."""
    named = os.environ.get(LOCAL_VARIABLE)
    return Path(named).resolve() if named else (find_checkout() or Path.cwd()) / ".local"


def data_folder() -> Path:
    """Return the folder of the imported dataset, unless `--data` names another one."""
    return local_folder() / "data"
