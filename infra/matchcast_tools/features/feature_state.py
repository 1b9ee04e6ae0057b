"""Where the last computation of features stood, so that a new match day does not recompute the past."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from matchcast_tools.features.feature_row import FEATURE_COLUMNS
from matchcast_tools.features.ratings import Tuning

STATE_FILE = "feature_state.json"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A region before its last match day: all rows up to and including the day `through` are taken in.

    `digest` is that of these rows, so that any change in the past is seen; `as_of` is the latest kick-off
    among them in milliseconds since 1970, or None.
    """

    through: int
    digest: str
    as_of: int | None
    region: dict[str, Any]


def save_checkpoints(data_dir: Path, checkpoints: dict[str, Checkpoint], features: Path, tuning: Tuning) -> None:
    """Write the checkpoints of all regions, bound to the features file and to the constants."""
    content = {
        "made_for": _made_for(features, tuning),
        "regions": {name: asdict(checkpoint) for name, checkpoint in checkpoints.items()},
    }
    path = data_dir / STATE_FILE
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(json.dumps(content))
    partial.replace(path)


def load_checkpoints(data_dir: Path, features: Path, tuning: Tuning) -> dict[str, Checkpoint]:
    """Return the checkpoints by region, or none where they do not belong to the features file and constants."""
    try:
        content = json.loads((data_dir / STATE_FILE).read_text())
        if content["made_for"] != _made_for(features, tuning):
            return {}
        return {name: Checkpoint(**checkpoint) for name, checkpoint in content["regions"].items()}
    except (OSError, ValueError, KeyError, TypeError):
        # What is missing or damaged costs a full computation and nothing else.
        return {}


def digest(rows: Iterable[tuple[Any, ...]]) -> str:
    """Return the SHA-256 of rows of plain values."""
    total = hashlib.sha256()
    for row in rows:
        total.update(repr(row).encode())
    return total.hexdigest()


def _made_for(features: Path, tuning: Tuning) -> dict[str, Any]:
    return {
        "version": _VERSION,
        "columns": list(FEATURE_COLUMNS),
        "tuning": asdict(tuning),
        "features": hashlib.sha256(features.read_bytes()).hexdigest(),
    }
