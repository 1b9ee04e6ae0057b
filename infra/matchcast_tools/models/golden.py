"""The golden set: rows that a candidate and the present model both predict before one takes the other's place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from matchcast.domain.manifests import PublishedModel
from matchcast.domain.signature import Signature
from matchcast.errors import ReleaseRefused
from matchcast_tools.dataset.store import decode, read_features, read_matches
from matchcast_tools.errors import BadInput
from matchcast_tools.models.gates import NEWEST
from matchcast_tools.models.training_set import feature_rows, have_result, outcomes_of, with_features

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from matchcast.ports import Rows


@dataclass(frozen=True, slots=True)
class GoldenSet:
    """Settled matches, then fixtures.

    `values` is float32, shape (n, columns); `outcomes` is 0 home, 1 draw, 2 away for the first of them, shape
    (settled,); `since` is the first day that a settled match may have.
    """

    columns: tuple[str, ...]
    values: npt.NDArray[np.float32]
    outcomes: npt.NDArray[np.int64]
    since: date

    @property
    def settled(self) -> int:
        """Return how many of the rows have an outcome."""
        return len(self.outcomes)

    def rows(self, signature: Signature) -> Rows:
        """Return the rows in the order of a signature."""
        return self.values[:, [self.columns.index(name) for name in signature.names]]


def first_unseen_day(models: Sequence[PublishedModel], wanted: date | None = None) -> date:
    """Return the day after which none of the models has learnt anything, or a later one that is wanted.

    Raises
    ------
    BadInput
        If the wanted day lies where a model has learnt.
    ReleaseRefused
        If it is not known until when a model has learnt, and no day is wanted.
    """
    known = [model.trained_until for model in models if model.trained_until is not None]
    unknown = [model.version for model in models if model.trained_until is None]
    if unknown and wanted is None:
        raise ReleaseRefused(
            f"It is unknown until when version {' and version '.join(unknown)} has learnt, so no match is known to be "
            "new to it. Set the tag trained_until of the version in MLflow (a day such as 2026-05-31), or name the "
            "first day that is new to both with `--golden-from`."
        )
    earliest = max(known) + timedelta(days=1) if known else None
    if wanted is None or earliest is None:
        return wanted or earliest or date.min
    if wanted < earliest:
        raise BadInput(
            f"--golden-from {wanted}: the models have learnt from matches until {max(known)}, and are not to be "
            f"scored on what they have seen. Give {earliest} or a later day."
        )
    return wanted


def read_golden(data_dir: Path, models: Sequence[PublishedModel], since: date, newest: int = NEWEST) -> GoldenSet:
    """Return the newest settled matches from a day on, and the next fixtures, with what the models need.

    Raises
    ------
    BadInput
        If the dataset is missing or cannot be read.
    ReleaseRefused
        If it lacks features of a model.
    """
    features = decode(read_features(data_dir))
    columns = tuple(dict.fromkeys(name for model in models for name in model.signature.names))
    for model in models:
        missing = [name for name in model.signature.names if name not in features.column_names]
        if missing:
            raise ReleaseRefused(
                f"The dataset in {data_dir} lacks features that version {model.version} needs ({', '.join(missing)}), "
                "so it cannot be tried. Make them with `matchcast features`. A present model whose features are made "
                "no more is replaced without a comparison by moving the alias in MLflow and `matchcast publish`."
            )
    matches = decode(read_matches(data_dir).select(["match_id", "date", "status", "result"]))
    settled = matches.filter(pc.and_(have_result(matches), pc.greater_equal(matches["date"], pa.scalar(since))))
    settled = with_features(settled, features)
    settled = settled.slice(max(0, len(settled) - newest))
    fixtures = with_features(matches.filter(pc.equal(matches["status"], "fixture")), features).slice(0, newest)
    table = pa.concat_tables([settled, fixtures])
    return GoldenSet(
        columns=columns,
        values=feature_rows(table, columns),
        outcomes=outcomes_of(settled),
        since=since,
    )
