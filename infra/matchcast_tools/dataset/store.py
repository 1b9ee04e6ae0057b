"""The local dataset: three parquet files under `.local/data`, written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from matchcast.snapshots.dataset import (
    FEATURES_FILE,
    MATCHES_FILE,
    MATCHES_SCHEMA,
    ODDS_FILE,
    ODDS_SCHEMA,
    plain_schema,
)
from matchcast_tools.errors import BadInput

_HOW_TO_IMPORT = "Run `matchcast import PATH` with match files, or `matchcast import --sample` for the sample league."

_PART = 250_000
"""Rows that are written at once."""


def read_matches(data_dir: Path) -> pa.Table:
    """Return the matches (`MATCHES_SCHEMA`), sorted by id.

    Raises
    ------
    BadInput
        If nothing has been imported yet, or the file cannot be read.
    """
    table = read_table(data_dir / MATCHES_FILE, _HOW_TO_IMPORT)
    if not len(table):
        raise BadInput(f"The dataset in {data_dir} has no match. {_HOW_TO_IMPORT}")
    return table


def read_odds(data_dir: Path, *, coded: bool = False) -> pa.Table:
    """Return the odds (`ODDS_SCHEMA`), sorted by match, bookmaker and time; there may be none.

    `coded` reads the ids of their matches as a dictionary, which takes a fraction of the memory.

    Raises
    ------
    BadInput
        If nothing has been imported yet, or the file cannot be read.
    """
    return read_table(data_dir / ODDS_FILE, _HOW_TO_IMPORT, ["match_id"] if coded else None)


def read_features(data_dir: Path) -> pa.Table:
    """Return the features of every match: `match_id`, float32 columns, `as_of`.

    Raises
    ------
    BadInput
        If they have not been built since the last import, or the file cannot be read.
    """
    path = data_dir / FEATURES_FILE
    matches = data_dir / MATCHES_FILE
    if not matches.exists():
        raise BadInput(f"There is no dataset in {data_dir}. {_HOW_TO_IMPORT}")
    if path.exists() and path.stat().st_mtime_ns < matches.stat().st_mtime_ns:
        raise BadInput(f"The features in {data_dir} are older than its matches. Run `matchcast features`.")
    return read_table(path, "Run `matchcast features`.")


def has_dataset(data_dir: Path) -> bool:
    """Return whether something has been imported into this folder."""
    return (data_dir / MATCHES_FILE).exists() and (data_dir / ODDS_FILE).exists()


def write_dataset(data_dir: Path, matches: pa.Table, odds: pa.Table) -> None:
    """Write matches, sorted by id, and odds, sorted by match, bookmaker and time; repeated text as dictionaries."""
    # Odds first: readers go by the matches, and odds of unknown matches are never looked at.
    write_table(data_dir / ODDS_FILE, odds, ODDS_SCHEMA)
    write_table(data_dir / MATCHES_FILE, matches, MATCHES_SCHEMA)


def write_table(path: Path, table: pa.Table, schema: pa.Schema | None = None) -> None:
    """Write one parquet file, with the types of a schema, under its name only when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    with pq.ParquetWriter(partial, schema or table.schema, compression="zstd") as writer:
        # Part by part: a copy of the whole with other types would take as much memory again.
        for start in range(0, max(len(table), 1), _PART):
            part = table.slice(start, _PART)
            writer.write_table(part if schema is None else encode(part, schema))
    partial.replace(path)


def encode(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return the table with the columns and types of a schema, dictionaries included."""
    columns = []
    for entry in schema:
        column = table[entry.name]
        if pa.types.is_dictionary(entry.type) and not pa.types.is_dictionary(column.type):
            column = pc.dictionary_encode(column)
        columns.append(column.cast(entry.type))
    return pa.table(columns, schema=schema)


def decode(table: pa.Table) -> pa.Table:
    """Return the table with text in place of dictionaries."""
    return table.cast(plain_schema(table.schema))


def read_table(path: Path, what_to_do: str, dictionaries: list[str] | None = None) -> pa.Table:
    """Return a parquet file; `what_to_do` ends the error message where it is missing or damaged.

    Raises
    ------
    BadInput
        In these two cases.
    """
    try:
        return pq.read_table(path, read_dictionary=dictionaries)
    except FileNotFoundError:
        raise BadInput(f"There is no {path.name} in {path.parent}. {what_to_do}") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise BadInput(f"{path} cannot be read ({error}). Remove it and start again: {what_to_do}") from error
