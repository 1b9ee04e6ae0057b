"""A model as code that takes its time and fails when it is told to, and writes down what it is asked.

It is logged as this file, not as an object, so it needs nothing but itself where it runs. How it behaves stands
in a file that it reads at each call, so that a model which passed every check can turn slow or break later.
"""

import json
import os
import time
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd


class TimedModel(mlflow.pyfunc.PythonModel):
    """A softmax of the difference in Elo."""

    def predict(self, context, model_input: pd.DataFrame):  # type: ignore[no-untyped-def] # MLflow acts on hints
        """Return probabilities of home, draw and away, shape (n, 3)."""
        folder = Path(context.model_config["folder"])
        behaviour = json.loads((folder / "behaviour.json").read_text())
        self._note(folder, "begin", len(model_input))
        time.sleep(behaviour.get("seconds", 0) + behaviour.get("seconds_per_row", 0) * len(model_input))
        if behaviour.get("exits"):
            os._exit(3)
        if behaviour.get("broken"):
            raise RuntimeError("this model is broken")
        if behaviour.get("answer") == "nan":
            return np.full((len(model_input), 3), np.nan)
        if behaviour.get("answer") == "narrow":
            return np.full((len(model_input), 2), 0.5)
        strength = model_input["elo_difference"].to_numpy(dtype=float) / 400
        powers = np.exp(np.column_stack([strength, np.zeros_like(strength), -strength]))
        self._note(folder, "end", len(model_input))
        return powers / powers.sum(axis=1, keepdims=True)

    def _note(self, folder: Path, what: str, rows: int) -> None:
        # A model has a process of its own; its worker is the one that started it.
        line = json.dumps({"what": what, "rows": rows, "pid": os.getppid(), "at": time.time()})
        with (folder / "journal.jsonl").open("a") as journal:
            journal.write(f"{line}\n")


mlflow.models.set_model(TimedModel())
