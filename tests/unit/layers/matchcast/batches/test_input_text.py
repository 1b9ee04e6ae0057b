"""Files of another kind than their name says, and packed files that are damaged or become too large."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path

import pytest

from matchcast.batches import input_text
from matchcast.errors import InputRefused
from tests.support.batch_inputs import GOOD, read, read_one, write_parquet, write_text

ROW = json.dumps(GOOD).encode() + b"\n"


@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.gz", "rows.jsonl", "rows.jsonl.gz", "rows.parquet"])
@pytest.mark.parametrize("kind", ["gzip", "zip", "PDF", "UTF-16", "zstd"])
def test_a_file_of_another_kind_is_refused_with_what_it_is(tmp_path: Path, name: str, kind: str) -> None:
    # GIVEN a file of some kind
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("xl/workbook.xml", "<xml/>")
    body = {
        "gzip": gzip.compress(gzip.compress(ROW)) if name.endswith(".gz") else gzip.compress(ROW),
        "zip": (tmp_path / "a.zip").read_bytes(),
        "PDF": b"%PDF-1.7\n" + bytes(100),
        "UTF-16": ROW.decode().encode("utf-16"),
        "zstd": b"\x28\xb5\x2f\xfd" + bytes(100),
    }[kind]
    path = tmp_path / name
    path.write_bytes(body)

    # WHEN it is read by its name
    # THEN
    with pytest.raises(InputRefused, match=kind):
        read(path)


def test_parquet_by_another_name_and_text_by_the_name_of_parquet_are_refused(tmp_path: Path) -> None:
    body = write_parquet(tmp_path, {"match_id": ["a"]}).read_bytes()
    for name in ("rows.csv", "rows.jsonl", "rows.csv.gz"):
        with pytest.raises(InputRefused, match="Parquet"):
            read(write_text(tmp_path, name, body))
    with pytest.raises(InputRefused, match="another beginning"):
        read(write_text(tmp_path, "text.parquet", ROW))


@pytest.mark.parametrize("name", ["rows.csv.gz", "rows.jsonl.gz"])
def test_plain_text_by_the_name_of_a_packed_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(ROW)
    with pytest.raises(InputRefused, match="not packed"):
        read(tmp_path / name)


def test_a_packed_file_of_several_members_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(ROW[:10]) + gzip.compress(ROW[10:] + ROW) + bytes(20))
    assert len(read_one(path)) == 2


@pytest.mark.parametrize("damage", ["cut", "flipped", "tail"])
def test_a_damaged_packed_file_is_refused(tmp_path: Path, damage: str) -> None:
    # GIVEN a packed file that is cut, changed, or followed by something else
    body = bytearray(gzip.compress(b"".join(json.dumps({**GOOD, "elo": n}).encode() + b"\n" for n in range(2000))))
    if damage == "flipped":
        body[len(body) // 2] ^= 0xFF
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes({"cut": body[:-100], "flipped": body, "tail": body + b"something"}[damage])

    # WHEN it is read
    # THEN
    with pytest.raises(InputRefused, match="cannot be unpacked"):
        read(path)


def test_a_packed_file_that_becomes_too_large_is_refused_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN limits of a size for tests, and a file of the same row again and again
    monkeypatch.setattr(input_text, "_RATIO_COUNTS_FROM", 2 * 1024**2)
    monkeypatch.setattr(input_text, "_MOST_RATIO", 50)
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(ROW * 200_000, 9))

    # WHEN it is read
    # THEN
    with pytest.raises(InputRefused, match="50 times"):
        read(path)
    with pytest.raises(InputRefused, match="more than 1000000 bytes"):
        read(path, most_bytes=1_000_000)
