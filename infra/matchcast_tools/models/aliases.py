"""Move an alias in the MLflow registry, so that the next publish releases what is served already."""

from __future__ import annotations

from dataclasses import dataclass

from matchcast_tools.errors import EnvironmentProblem
from matchcast_tools.models.tracking import Tracking


@dataclass(frozen=True, slots=True)
class Aliased:
    """What became of an alias: the version it names now, the one before, and what is to be done by hand."""

    alias: str
    version: str | None
    before: str | None
    problem: str | None = None


def move_alias(tracking: Tracking, name: str, alias: str, version: str) -> Aliased:
    """Let an alias of a registered model name a version; a registry that fails is reported in `problem`, not raised.

    What is served has been switched by then, and stays.
    """
    try:
        client = tracking.connect()
        with tracking.answering():
            present = client.get_registered_model(name).aliases.get(alias)
            before = None if present is None else str(present)
            if before != version:
                client.set_registered_model_alias(name, alias, version)
    except EnvironmentProblem as error:
        return Aliased(
            alias,
            None,
            None,
            f"The alias {alias} of {name} does not name version {version}: {error.detail} Set it by hand, or the next "
            f"`matchcast publish` releases what it names now: "
            f"MlflowClient().set_registered_model_alias('{name}', '{alias}', '{version}').",
        )
    return Aliased(alias, version, before)
