"""A snapshot from its files: checked, sorted, and ready to be asked."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from matchcast.adapters.json_columns import CodedColumn, Column, Indices, JsonRows, NumberColumn, ObjectColumn
from matchcast.adapters.match_lists import EncodedMatchList, MatchKeys, TextIndex
from matchcast.adapters.parquet_columns import ParquetTable
from matchcast.domain.manifests import SnapshotManifest, unreadable
from matchcast.domain.prediction import OUTCOMES, ROUNDING
from matchcast.domain.scorecard import Scorecard
from matchcast.errors import ManifestInvalid
from matchcast.snapshots.contract import (
    DISPLAY_COLUMNS,
    MATCH_TEXTS,
    MODEL_COLUMNS,
    ODDS_COLUMNS,
    PREDICTION_COLUMNS,
    PREDICTIONS_FILE,
    REGION_ROI_COLUMNS,
    REGION_ROI_FILE,
    REGION_ROI_GAPS,
    SCORECARD_FILE,
    SHOWN_ODDS_FILE,
)
from matchcast.snapshots.tables import RowsPage, SnapshotTables


class RegionRoi:
    """A `RegionList`, in the order of its file: region by region, then all of them together."""

    def __init__(self, table: ParquetTable) -> None:
        self._regions = [region.casefold() for region in table.texts("region")]
        self._rows = JsonRows({name: table.column(name) for name in REGION_ROI_COLUMNS})

    def page(self, region: str | None) -> RowsPage:
        """Return the rows of one region, or of all."""
        wanted = None if region is None else region.casefold()
        found = [row for row, name in enumerate(self._regions) if wanted in (None, name)]
        return RowsPage(self._rows.pick(np.asarray(found, dtype=np.int64)), len(found), last=None)


def parse_snapshot(manifest: SnapshotManifest, files: Mapping[str, bytes], *, bookmaker: str) -> SnapshotTables:
    """Make tables of `predictions.parquet`, `odds.parquet`, `region_roi.parquet` and `scorecard.json`.

    Parameters
    ----------
    manifest
        What the files belong to; it names the stage of the model.
    files
        The verified bytes by name.
    bookmaker
        Whose odds are shown; a bookmaker that the snapshot lacks gives empty lists.

    Raises
    ------
    ManifestInvalid
        If a file is not what the data contract says.
    """
    table = ParquetTable(PREDICTIONS_FILE, files[PREDICTIONS_FILE], PREDICTION_COLUMNS)
    table.take(np.lexsort((np.asarray(table.texts("match_id"), dtype=np.str_), table.milliseconds("kickoff"))))
    ids = table.texts("match_id")
    index = _index(ids, PREDICTIONS_FILE)
    probabilities = _probabilities(table)
    texts = {name: table.coded(name) for name in MATCH_TEXTS}
    shown: dict[str, Column] = {name: texts.get(name) or table.column(name) for name in DISPLAY_COLUMNS}
    keys = MatchKeys(
        kickoffs=table.milliseconds("kickoff"),
        match_ids=ids,
        texts={name: TextIndex(column) for name, column in texts.items()},
    )
    rows, odds, prices = _odds(files[SHOWN_ODDS_FILE], bookmaker, index)
    quoted = keys.take(rows)

    def cards() -> JsonRows:
        left = {name: column.take(rows) for name, column in shown.items()}
        return JsonRows({**left, **odds, **market(prices, probabilities[rows])})

    def prices_only() -> JsonRows:
        return JsonRows({**{name: shown[name].take(rows) for name in ("match_id", "kickoff")}, **odds})

    predictions = EncodedMatchList(keys, lambda: JsonRows(shown))
    rest = _rest(table, manifest)

    def match(match_id: str) -> bytes | None:
        row = index.get(match_id)
        return None if row is None else predictions.rows.span(row, row + 1)[:-1] + b"," + rest.text(row)[1:]

    return SnapshotTables(
        predictions=predictions,
        cards=EncodedMatchList(quoted, cards),
        odds=EncodedMatchList(quoted, prices_only),
        region_roi=RegionRoi(
            ParquetTable(REGION_ROI_FILE, files[REGION_ROI_FILE], REGION_ROI_COLUMNS, nullable=REGION_ROI_GAPS)
        ),
        scorecard=read_scorecard(manifest, files.get(SCORECARD_FILE)),
        match=match,
    )


def read_scorecard(manifest: SnapshotManifest, body: bytes | None) -> bytes:
    """Return the scorecard as a JSON object; a snapshot from before there were scorecards has an empty one."""
    try:
        card = Scorecard.empty(manifest.bookmaker) if body is None else Scorecard.model_validate_json(body)
    except ValidationError as error:
        raise unreadable(SCORECARD_FILE, error) from error
    return card.model_dump_json(by_alias=True).encode()


def market(odds: npt.NDArray[np.float64], probabilities: npt.NDArray[np.float64]) -> dict[str, Column]:
    """Return the columns that compare a bookmaker with a model, from arrays of shape (n, 3): home, draw, away.

    Implied probability is 1 / odds; margin-free is implied / overround (the sum of the three); fair odds
    are 1 / the model's probability (null where that is 0); edge is the model's probability x odds - 1.
    """
    implied = 1 / odds
    overround = implied.sum(axis=1)
    figures = {
        "implied": implied,
        "margin_free": implied / overround[:, None],
        "fair_odds": np.divide(1, probabilities, out=np.full_like(probabilities, np.nan), where=probabilities > 0),
        "edge": probabilities * odds - 1,
    }
    columns: dict[str, Column] = {"overround": NumberColumn(overround)}
    for name, values in figures.items():
        columns |= {f"{outcome}_{name}": NumberColumn(values[:, at]) for at, outcome in enumerate(OUTCOMES)}
    return columns


def _odds(
    body: bytes, bookmaker: str, index: Mapping[str, int]
) -> tuple[Indices, dict[str, Column], npt.NDArray[np.float64]]:
    """Return the rows of predictions that the bookmaker quotes, in order, with the odds columns and prices of them."""
    table = ParquetTable(SHOWN_ODDS_FILE, body, ODDS_COLUMNS)
    quotes = zip(table.texts("match_id"), table.texts("bookmaker"), strict=True)
    mine = {match_id: at for at, (match_id, book) in enumerate(quotes) if book == bookmaker and match_id in index}
    rows = sorted((index[match_id], at) for match_id, at in mine.items())
    table.take(np.asarray([at for _, at in rows], dtype=np.int64))
    prices = np.column_stack([table.numbers(outcome) for outcome in OUTCOMES])
    if not (np.isfinite(prices) & (prices > 1)).all():
        raise ManifestInvalid(f"{SHOWN_ODDS_FILE} has odds that are not above 1.")
    columns: dict[str, Column] = {"bookmaker": table.column("bookmaker"), "taken_at": table.column("taken_at")}
    columns |= {f"{outcome}_odds": table.column(outcome) for outcome in OUTCOMES}
    return np.asarray([row for row, _ in rows], dtype=np.int64), columns, prices


def _probabilities(table: ParquetTable) -> npt.NDArray[np.float64]:
    values = np.column_stack([table.numbers(outcome) for outcome in OUTCOMES])
    if not (np.isfinite(values) & (values >= 0)).all() or np.abs(values.sum(axis=1) - 1).max(initial=0) > ROUNDING:
        raise ManifestInvalid(
            f"{PREDICTIONS_FILE} has probabilities that are negative, not finite, or do not sum to 1."
        )
    return values


def _rest(table: ParquetTable, manifest: SnapshotManifest) -> ObjectColumn:
    """Return what lists do not show: the model, as_of and the features."""
    features = [name for name in table.names if name not in PREDICTION_COLUMNS]
    if strange := [name for name in features if not table.is_number(name)]:
        raise ManifestInvalid(f"{PREDICTIONS_FILE} has features that are no numbers: {', '.join(strange)}.")
    model: dict[str, Column] = {field: table.column(name) for field, name in MODEL_COLUMNS.items()}
    same = np.zeros(len(table.milliseconds("as_of")), dtype=np.int32)
    stage = CodedColumn([manifest.model.stage], same)
    return ObjectColumn(
        {
            "snapshot_id": CodedColumn([manifest.snapshot_id], same),
            "model": ObjectColumn({**model, "stage": stage}),
            "as_of": table.column("as_of"),
            "features": ObjectColumn({name: table.column(name) for name in features}),
        }
    )


def _index(ids: list[str], name: str) -> dict[str, int]:
    index = {match_id: row for row, match_id in enumerate(ids)}
    if len(index) != len(ids):
        raise ManifestInvalid(f"{name} names a match twice.")
    return index
