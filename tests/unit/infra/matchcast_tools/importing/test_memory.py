"""What reading a large file takes of memory is a small multiple of its size."""

from __future__ import annotations

import tracemalloc

from matchcast_tools.importing.match_file import parse_match_file
from tests.support.match_files import SEASON_HEADER, csv_bytes, season_row


def test_the_cells_of_a_wide_file_are_not_all_in_memory() -> None:
    # GIVEN 4,000 rows with 150 cells that nothing needs, as files of recent seasons have them
    header = (*SEASON_HEADER, *(f"X{number}" for number in range(150)))
    more = {f"X{number}": f"{1 + number / 100:.2f}" for number in range(150)}
    days = [f"{1 + number % 28:02d}/09/2014" for number in range(4_000)]
    body = csv_bytes([{**season_row(day, f"Team {number}"), **more} for number, day in enumerate(days)], header)

    # WHEN
    tracemalloc.start()
    parsed = parse_match_file("E0.csv", body)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    # THEN it takes less than ten times the text; all cells at once take fourteen times as much
    assert len(parsed.matches) == 4_000
    assert peak < 10 * len(body)
