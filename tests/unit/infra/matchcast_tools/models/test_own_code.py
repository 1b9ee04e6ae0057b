"""Several registered models in one process of the tools: each has its own modules."""

from __future__ import annotations

import sys
from pathlib import Path

from matchcast_tools.models.own_code import OwnCode


def test_two_versions_with_a_module_of_one_name_do_not_mix(tmp_path: Path) -> None:
    # GIVEN two folders with modules of the same names
    codes = []
    for number in (1, 2):
        folder = tmp_path / str(number)
        (folder / "space").mkdir(parents=True)
        (folder / "strength.py").write_text(f"NUMBER = {number}\n")
        (folder / "space" / "late.py").write_text(f"NUMBER = {number}\n")
        codes.append(OwnCode(folder))
        with codes[-1].visible():
            sys.path.insert(0, str(folder))
            __import__("strength")
    before = list(sys.path)

    # WHEN each imports again, another one too, after both were open
    found = []
    for code in (*codes, *codes):
        with code.visible():
            found.append((__import__("strength").NUMBER, __import__("space.late").late.NUMBER))

    # THEN
    assert found == [(1, 1), (2, 2), (1, 1), (2, 2)]
    assert sys.path == before
    assert {"strength", "space", "space.late"}.isdisjoint(sys.modules)
