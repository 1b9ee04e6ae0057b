"""The trial of a promotion: candidate and present model, loaded as the functions load them, on the golden set."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np

from matchcast.adapters.model_loaders import load_any
from matchcast.domain.manifests import PublishedModel
from matchcast.errors import ModelFailed, ModelTooSlow, ReleaseRefused
from matchcast.ports import Model, ObjectStore
from matchcast.releases.files import read_files
from matchcast_tools.models.artifact import Exported
from matchcast_tools.models.gates import NEWEST, GateReport, Limits
from matchcast_tools.models.golden import GoldenSet, first_unseen_day, read_golden
from matchcast_tools.models.isolated import SECONDS
from matchcast_tools.models.measuring import Subject, measure


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """How a candidate is measured.

    Attributes
    ----------
    data_dir
        The dataset that the golden set is taken from.
    limits
        Of the gates.
    golden_from, newest
        The first day of settled matches, by default the one after both models' training; how many rows at most.
    """

    data_dir: Path
    limits: Limits = field(default_factory=Limits)
    golden_from: date | None = None
    newest: int = NEWEST

    def run(self, objects: ObjectStore, candidate: Exported, present: PublishedModel | None, stage: str) -> GateReport:
        """Return the gates for a candidate, compared with the version that a stage serves now, if it serves one.

        Raises
        ------
        BadInput
            If there is no dataset, or `golden_from` lies where a model has learnt.
        ReleaseRefused
            If it is not known until when a model has learnt, the dataset lacks features or rows, or a model cannot be
            loaded or cannot predict the rows.
        """
        served = None if present is None else _load_present(objects, present, stage)
        golden = self._golden(candidate.published, present)
        rows = np.concatenate([golden.rows(candidate.published.signature), candidate.example]).astype(np.float32)
        tried = Subject(load_any(candidate.published, candidate.bodies, SECONDS), rows)
        compared = None
        if served is not None and present is not None:
            compared = Subject(served, golden.rows(present.signature))
        try:
            return measure(tried, compared, golden, self.limits)
        except (ModelFailed, ModelTooSlow) as error:
            raise ReleaseRefused(
                f"The golden set cannot be predicted, so nothing was changed: {error.detail}"
            ) from error

    def _golden(self, candidate: PublishedModel, present: PublishedModel | None) -> GoldenSet:
        """Return the golden set for a candidate and the model that it is compared with."""
        models = [candidate] if present is None else [candidate, present]
        golden = read_golden(self.data_dir, models, first_unseen_day(models, self.golden_from), self.newest)
        if not len(golden.values):
            raise ReleaseRefused(
                f"There is no match to try version {candidate.version} on: none settled since {golden.since}, and no "
                "fixture. Import newer matches with `matchcast import`, or train with `--until` an earlier day."
            )
        return golden


def _load_present(objects: ObjectStore, published: PublishedModel, stage: str) -> Model:
    """Return the model that a stage serves, its files verified; one that is damaged cannot be compared with."""
    try:
        return load_any(published, read_files(objects, published.prefix, published.files), SECONDS)
    except ReleaseRefused as error:
        raise ReleaseRefused(
            f"Version {published.version}, which {stage} serves, cannot be loaded to compare with: {error.detail} "
            f"Repair its files with `matchcast publish --stage {stage}` while the alias names it, or go back with "
            f"`matchcast rollback --stage {stage}`."
        ) from error
