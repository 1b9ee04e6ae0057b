"""The trial of a promotion: candidate and present model, loaded as the functions load them, on the golden set."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from matchcast.domain.manifests import PublishedModel
from matchcast.errors import ModelFailed, ReleaseRefused
from matchcast.ports import Model, ObjectStore
from matchcast.releases.readers import read_files
from matchcast_tools.models.artifact import Exported, load
from matchcast_tools.models.gates import GateReport, Limits
from matchcast_tools.models.golden import GoldenSet, first_unseen_day, read_golden
from matchcast_tools.models.measuring import Subject, measure


@dataclass(frozen=True, slots=True)
class Served:
    """What a stage serves, as it is published and loaded."""

    published: PublishedModel
    model: Model


def load_present(objects: ObjectStore, published: PublishedModel, stage: str) -> Served:
    """Return what a stage serves, its files verified.

    Raises
    ------
    ReleaseRefused
        If its files are gone or changed, or cannot be loaded: then nothing can be compared with it.
    """
    try:
        return Served(published, load(published, read_files(objects, published.prefix, published.files)))
    except ReleaseRefused as error:
        raise ReleaseRefused(
            f"Version {published.version}, which {stage} serves, cannot be loaded to compare with: {error.detail} "
            f"Mend its files with `matchcast publish --stage {stage}` while the alias names it, or go back with "
            f"`matchcast rollback --stage {stage}`."
        ) from error


def golden_for(
    candidate: PublishedModel, present: PublishedModel | None, data_dir: Path, golden_from: date | None, newest: int
) -> GoldenSet:
    """Return the golden set for a candidate and the model that it is compared with.

    Raises
    ------
    BadInput
        If there is no dataset, or `golden_from` lies where a model has learnt.
    ReleaseRefused
        If nobody knows until when a model has learnt, the dataset lacks features, or there is no row at all.
    """
    models = [candidate] if present is None else [candidate, present]
    golden = read_golden(data_dir, models, first_unseen_day(models, golden_from), newest)
    if not len(golden.values):
        raise ReleaseRefused(
            f"There is no match to try version {candidate.version} on: none settled since {golden.since}, and no "
            "fixture. Import newer matches with `matchcast import`, or train with `--until` an earlier day."
        )
    return golden


def try_out(exported: Exported, present: Served | None, golden: GoldenSet, limits: Limits) -> GateReport:
    """Return the gates for an exported version, beside what the stage serves now.

    Raises
    ------
    ReleaseRefused
        If a model cannot be loaded, or cannot predict the rows.
    """
    rows = np.concatenate([golden.rows(exported.published.signature), exported.example])
    candidate = Subject(load(exported.published, exported.bodies), rows.astype(np.float32))
    beside = None if present is None else Subject(present.model, golden.rows(present.published.signature))
    try:
        return measure(candidate, beside, golden, limits)
    except ModelFailed as error:
        raise ReleaseRefused(f"The golden set cannot be predicted, so nothing was changed: {error.detail}") from error
