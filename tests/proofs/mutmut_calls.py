"""What `make mutants` asks of mutmut's modules, in its scratch folder: to make mutants, and how they ended."""

from __future__ import annotations

import json
import random
import sys
from contextlib import redirect_stdout
from pathlib import Path

from mutmut import __main__ as mutmut
from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.stats import status_by_exit_code
from mutmut.utils.file_utils import copy_also_copy_files, copy_src_dir, walk_mutatable_files

SKIPPED = 34
"""The exit code by which mutmut knows a mutant that is not to be tested."""


def make(share: float, seed: int) -> dict[str, int]:
    """Make all mutants, and have those skipped that are not in the sample."""
    Path("mutants").mkdir()
    set_mutant_under_test("mutant_generation")
    with redirect_stdout(sys.stderr):
        copy_src_dir()
        copy_also_copy_files()
        mutmut.create_mutants(max_children=1)
    files = mutated_files()
    names = sorted(name for file in files for name in file.exit_code_by_key)
    tested = set(random.Random(seed).sample(names, max(1, round(share * len(names)))))
    for file in files:
        file.exit_code_by_key |= dict.fromkeys(file.exit_code_by_key.keys() - tested, SKIPPED)
        file.save()
    return {"made": len(names), "tested": len(tested)}


def report() -> dict[str, dict[str, str | list[str]]]:
    """Return how each tested mutant ended, and what it changes."""
    return {
        name: {
            "status": status_by_exit_code[code],
            "difference": get_diff_for_mutant(name, path=file.path).splitlines(),
        }
        for file in mutated_files()
        for name, code in file.exit_code_by_key.items()
        if code != SKIPPED
    }


def mutated_files() -> list[SourceFileMutationData]:
    """Return what mutmut knows of each file."""
    files = [SourceFileMutationData(path=path) for path in walk_mutatable_files()]
    for file in files:
        file.load()
    return files


if __name__ == "__main__":
    asked, *numbers = sys.argv[1:]
    sys.stdout.write(json.dumps(make(float(numbers[0]), int(numbers[1])) if asked == "make" else report()))
