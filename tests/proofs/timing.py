"""Models whose behaviour a proof decides while they are served."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.models.registry import MODEL_NAME
from infra.models.tracking import Tracking

MODEL_CODE = Path(__file__).with_name("timed_model.py")
FEATURE = "elo_difference"


@dataclass(frozen=True)
class Timed:
    """A registered `TimedModel`: how it behaves, and what it wrote down."""

    folder: Path

    def behave(self, **behaviour: Any) -> None:
        """Behave like this from the next call on: `seconds`, `seconds_per_row`, `broken`; nothing is healthy."""
        written = self.folder / "behaviour.new"
        written.write_text(json.dumps(behaviour))
        written.replace(self.folder / "behaviour.json")

    def calls(self, what: str) -> list[dict[str, Any]]:
        """Return the calls that have begun (`begin`), or those that have come to an answer (`end`)."""
        journal = self.folder / "journal.jsonl"
        lines = [json.loads(line) for line in journal.read_text().splitlines()] if journal.exists() else []
        return [line for line in lines if line["what"] == what]

    def forget(self) -> None:
        """Forget the calls so far."""
        (self.folder / "journal.jsonl").unlink(missing_ok=True)


def register_timed_model(tracking: Tracking, alias: str, folder: Path, tags: Mapping[str, str] | None = None) -> Timed:
    """Log a `TimedModel` and register it under an alias; it is healthy, and its files are in `folder`."""
    folder.mkdir(parents=True)
    timed = Timed(folder)
    timed.behave()
    client = tracking.connect(create=True)
    import mlflow
    import pandas as pd
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    experiment = client.get_experiment_by_name("proofs")
    experiment_id = experiment.experiment_id if experiment else client.create_experiment("proofs", tracking.artifacts)
    with mlflow.start_run(experiment_id=experiment_id) as run:
        logged = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(MODEL_CODE),
            signature=ModelSignature(inputs=Schema([ColSpec("float", FEATURE)])),
            input_example=pd.DataFrame({FEATURE: [-120.0, 0.0, 250.0]}).astype("float32"),
            model_config={"folder": str(folder)},
            pip_requirements=["numpy"],
        )
    if not client.search_registered_models(filter_string=f"name = '{MODEL_NAME}'"):
        client.create_registered_model(MODEL_NAME)
    version = client.create_model_version(
        MODEL_NAME, logged.model_uri, run.info.run_id, tags=dict(tags or {}), model_id=logged.model_id
    )
    client.set_registered_model_alias(MODEL_NAME, alias, version.version)
    return timed
