"""Models whose behaviour a proof decides while they are served."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matchcast.domain.signature import Column
from matchcast_tools.models.registry import MODEL_NAME
from matchcast_tools.models.tracking import Tracking
from tests.support.mlflow_models import register_with
from tests.support.pyfunc_models import mlflow_signature

MODEL_CODE = Path(__file__).with_name("timed_model.py")
FEATURE = "elo_difference"


@dataclass(frozen=True)
class Timed:
    """A registered `TimedModel`: how it behaves, and what it wrote down."""

    folder: Path

    def behave(self, **behaviour: Any) -> None:
        """Behave like this from the next call on; nothing is healthy.

        `seconds`, `seconds_per_row`: it takes so long; `broken`: it raises; `exits`: it ends its process;
        `answer`: `nan`, or `narrow` (two columns).
        """
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


def register_timed_model(
    tracking: Tracking,
    alias: str,
    folder: Path,
    tags: Mapping[str, str] | None = None,
    more_features: Sequence[str] = (),
) -> Timed:
    """Log a `TimedModel` and register it under an alias; it is healthy, and its files are in `folder`."""
    import pandas as pd

    folder.mkdir(parents=True)
    timed = Timed(folder)
    timed.behave()
    register_with(
        tracking,
        "pyfunc",
        str(MODEL_CODE),
        name=MODEL_NAME,
        alias=alias,
        tags=tags,
        signature=mlflow_signature([Column(name=name, type="float") for name in (FEATURE, *more_features)]),
        input_example=pd.DataFrame({name: [-120.0, 0.0, 250.0] for name in (FEATURE, *more_features)}).astype(
            "float32"
        ),
        model_config={"folder": str(folder)},
    )
    return timed
