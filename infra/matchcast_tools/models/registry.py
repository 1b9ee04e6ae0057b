"""The MLflow registry: where it is, which version an alias names, and that version as a callable."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matchcast.adapters.pyfunc_answers import probabilities
from matchcast.adapters.pyfunc_folder import open_folder
from matchcast.domain.signature import Signature, signature_from_mlflow
from matchcast.errors import AliasUnknown, ModelFailed, ReleaseRefused, SignatureMissing
from matchcast_tools.errors import BadInput, EnvironmentProblem
from matchcast_tools.models.own_code import OwnCode
from matchcast_tools.models.tracking import Tracking

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

MODEL_NAME = "matchcast"
STAGES_VARIABLE = "MLFLOW_MODEL_STAGES"
DEFAULT_STAGES = ("champion", "candidate", "smoke")
_ALIAS = re.compile(r"[A-Za-z0-9_-]{1,255}")
_VERSION = re.compile(r"[vV]\d+")
TRAINED_FROM = "trained_from"
TRAINED_UNTIL = "trained_until"
DATASET = "dataset"
"""Tag of a run: the SHA-256 of the features that it learnt from, which the manifest of a dataset names too."""


def configured_stages() -> tuple[str, ...]:
    """Return the aliases that are published: `MLFLOW_MODEL_STAGES`, or champion, candidate and smoke."""
    names = os.environ.get(STAGES_VARIABLE, ",".join(DEFAULT_STAGES)).split(",")
    return tuple(dict.fromkeys(name.strip() for name in names if name.strip()))


def check_alias(alias: str) -> str:
    """Return an alias that the registry takes and that a stage may be called.

    Raises
    ------
    BadInput
        If it is none.
    """
    if not _ALIAS.fullmatch(alias) or _VERSION.fullmatch(alias) or alias.lower() == "latest":
        raise BadInput(
            f"{alias!r} is no alias: use 1 to 255 letters, digits, - and _, and not `latest` or a version such as v1, "
            "which MLflow keeps for itself."
        )
    return alias


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A version of the registered model, as an alias named it; of its metrics the finite ones."""

    name: str
    version: str
    run_id: str
    metrics: dict[str, float]
    trained_until: date | None
    trained_from: str | None = None
    dataset: str | None = None
    source: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """A loaded version: call it with feature rows in the order of its signature."""

    at: ModelVersion
    signature: Signature
    pyfunc: Any
    example: pd.DataFrame | None
    folder: Path
    code: OwnCode

    def __call__(self, rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return probabilities of home, draw and away, shape (n, 3), for float32 rows of shape (n, columns).

        Raises
        ------
        ReleaseRefused
            If the model cannot predict rows of its own signature.
        """
        try:
            with self.code.visible():
                return probabilities(self.pyfunc, self.signature, rows)
        except ModelFailed as error:
            raise ReleaseRefused(
                f"{self.at.name} version {self.at.version} cannot predict rows of its own signature. {error.detail} "
                "Log it again with the signature of the features that it was trained on."
            ) from error


def resolve(alias: str, tracking: Tracking | None = None, name: str = MODEL_NAME) -> ModelVersion:
    """Return the version that an alias of the registered model names.

    Raises
    ------
    EnvironmentProblem
        If there is no store, or no such model in it.
    AliasUnknown
        If the model has no such alias; the message names those that it has.
    """
    tracking = tracking or Tracking.find()
    client = tracking.connect()
    with tracking.answering():
        found = client.search_registered_models(filter_string=f"name = '{name}'", max_results=1)
        if not found:
            raise EnvironmentProblem(
                f"The registry at {tracking.shown} has no model '{name}'. Train one with `matchcast train`."
            )
        aliases = dict(client.get_registered_model(name).aliases)
        if alias not in aliases:
            present = ", ".join(f"{key} (version {value})" for key, value in sorted(aliases.items())) or "none"
            raise AliasUnknown(
                f"The model '{name}' has no alias '{alias}' in the registry; its aliases are: {present}. "
                f"Name one of these, or set it in MLflow or with `matchcast train --alias {alias}`."
            )
        version = client.get_model_version(name, aliases[alias])
        run = client.get_run(version.run_id) if version.run_id else None
    tags = {**(run.data.tags if run else {}), **version.tags}
    return ModelVersion(
        name=name,
        version=str(version.version),
        run_id=version.run_id or "",
        metrics={key: value for key, value in run.data.metrics.items() if math.isfinite(value)} if run else {},
        trained_until=_trained_until(name, str(version.version), tags.get(TRAINED_UNTIL)),
        trained_from=tags.get(TRAINED_FROM),
        dataset=tags.get(DATASET),
        source=version.source or None,
        tags=dict(version.tags),
        params=dict(run.data.params) if run else {},
    )


def aliases_elsewhere(tracking: Tracking, aliases: Iterable[str], name: str = MODEL_NAME) -> dict[str, list[str]]:
    """Return which other registered models have these aliases too, by alias; whoever means those has to say so."""
    client = tracking.connect()
    with tracking.answering():
        others = [client.get_registered_model(found.name) for found in client.search_registered_models()]
    found = {
        alias: [other.name for other in others if other.name != name and alias in other.aliases] for alias in aliases
    }
    return {alias: names for alias, names in found.items() if names}


def load(alias: str, tracking: Tracking | None = None, name: str = MODEL_NAME) -> RegisteredModel:
    """Return the version that an alias names as a callable from rows to probabilities.

    Raises
    ------
    EnvironmentProblem, AliasUnknown
        As `resolve` does.
    SignatureMissing
        If the version was logged without a signature.
    ReleaseRefused
        If its signature has columns that cannot be served.
    """
    tracking = tracking or Tracking.find()
    return load_version(resolve(alias, tracking, name), tracking)


def load_version(at: ModelVersion, tracking: Tracking) -> RegisteredModel:
    """Return a resolved version as a callable; raises as `load` does."""
    tracking.connect()
    import mlflow.artifacts
    import mlflow.models
    import pandas as pd

    what = f"{at.name} version {at.version}"
    with tracking.answering():
        folder = Path(mlflow.artifacts.download_artifacts(artifact_uri=f"models:/{at.name}/{at.version}")).resolve()
        metadata = mlflow.models.Model.load(str(folder))
        if metadata.signature is None or metadata.signature.inputs is None:
            raise SignatureMissing(
                f"{what} has no signature, so no request could be checked against it. "
                "Log the model with `signature=` (or an input example) and register it again."
            )
        try:
            signature = signature_from_mlflow(metadata.signature.inputs.to_dict())
        except ValueError as error:
            raise ReleaseRefused(
                f"The signature of {what} cannot be served: {error}. "
                "Its inputs have to be named columns of the types float, double, integer, long or boolean."
            ) from error
        example = metadata.load_input_example(str(folder))
    code = OwnCode(folder)
    with code.visible():
        pyfunc = open_folder(what, folder)
    return RegisteredModel(
        at=at,
        signature=signature,
        pyfunc=pyfunc,
        example=example if isinstance(example, pd.DataFrame) else None,
        folder=folder,
        code=code,
    )


def _trained_until(name: str, version: str, tag: str | None) -> date | None:
    try:
        return None if tag is None else date.fromisoformat(tag)
    except ValueError as error:
        raise ReleaseRefused(
            f"The tag {TRAINED_UNTIL} of {name} version {version} is '{tag}', not a day such as 2026-05-31. "
            "It keeps the model from betting on matches that it has learnt from; set it right in MLflow."
        ) from error
