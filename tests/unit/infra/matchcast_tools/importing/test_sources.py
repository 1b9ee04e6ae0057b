from __future__ import annotations

from pathlib import Path

import pytest

from matchcast_tools.errors import BadInput
from matchcast_tools.importing import sources
from matchcast_tools.importing.sources import find_sources
from tests.support.match_files import csv_bytes, season_row, write, zip_bytes

BODY = csv_bytes([season_row()])


def names(*paths: str | Path) -> list[str]:
    return [Path(source.name).name for source in find_sources(paths)]


def test_a_file_a_folder_a_pattern_and_an_archive_lead_to_match_files(tmp_path: Path) -> None:
    write(tmp_path, {"E0.csv": BODY, "notes.txt": b"", ".hidden.csv": BODY, "b.zip": zip_bytes({"x/E1.CSV": BODY})})
    write(tmp_path / "deep" / "er", {"D1.csv": BODY})

    assert names(tmp_path / "E0.csv") == ["E0.csv"]
    assert names(tmp_path) == ["E0.csv", "E1.CSV", "D1.csv"]
    assert names(f"{tmp_path}/*.csv") == [".hidden.csv", "E0.csv"]
    assert names(f"{tmp_path}/**/D1.csv") == ["D1.csv"]
    assert names(f"{tmp_path}/dee[p]") == ["D1.csv"]


def test_members_of_an_archive_are_read_when_their_turn_comes(tmp_path: Path) -> None:
    members = {"E0.csv": BODY, "__MACOSX/E0.csv": b"", "a/._E0.csv": b"", "readme.txt": b""}
    (path,) = write(tmp_path, {"seasons.zip": zip_bytes(members)})

    (source,) = find_sources([path])

    assert source.name == "seasons.zip/E0.csv"
    assert source.read() == BODY


def test_a_file_that_is_named_is_read_whatever_its_ending(tmp_path: Path) -> None:
    write(tmp_path, {"E0.txt": BODY})
    (source,) = find_sources([tmp_path / "E0.txt"])
    assert source.read() == BODY


def test_nothing_to_import_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    # GIVEN an empty folder, an archive without match files and a damaged one
    (tmp_path / "empty").mkdir()
    write(tmp_path, {"none.zip": zip_bytes({"readme.txt": b""}), "torn.zip": zip_bytes({"E0.csv": BODY})[:40]})

    # WHEN nothing, or nothing useful, is named
    # THEN the message says what is missing
    for path, reason in {
        tmp_path / "nowhere": "There is no file or folder .*Check the path",
        tmp_path / "*.nothing": "No file matches the pattern",
        tmp_path / "empty": "has no .csv or .zip file",
        tmp_path / "none.zip": "has no .csv file",
        tmp_path / "torn.zip": "cannot be opened as a zip archive",
    }.items():
        with pytest.raises(BadInput, match=reason):
            find_sources([path])
    with pytest.raises(BadInput, match="Name at least one match file"):
        find_sources([])


def test_a_damaged_member_is_refused(tmp_path: Path) -> None:
    body = bytearray(zip_bytes({"E0.csv": BODY}))
    body[45] ^= 0xFF
    (path,) = write(tmp_path, {"seasons.zip": bytes(body)})

    (source,) = find_sources([path])

    with pytest.raises(BadInput, match=r"E0.csv in .* cannot be unpacked"):
        source.read()


def test_a_file_far_too_large_for_matches_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "LARGEST_FILE", 10)
    for path in write(tmp_path, {"E0.csv": BODY, "seasons.zip": zip_bytes({"E0.csv": BODY})}):
        (source,) = find_sources([path])
        with pytest.raises(BadInput, match="is larger than"):
            source.read()


def test_a_file_without_permission_is_refused(tmp_path: Path) -> None:
    (path,) = write(tmp_path, {"E0.csv": BODY})
    (source,) = find_sources([path])
    path.unlink()
    with pytest.raises(BadInput, match="cannot be read"):
        source.read()
