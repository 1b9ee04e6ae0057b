"""The wheel, installed into an empty folder and run outside the checkout, with the libraries of this environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.match_files import League, write
from tests.support.template import ROOT


@dataclass(frozen=True)
class Installed:
    """The wheel in a folder of its own, and an empty working directory."""

    site: Path
    work: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the installed script."""
        return run(str(self.site / "bin" / "matchcast"), *arguments, cwd=self.work, PYTHONPATH=str(self.site))

    def files(self) -> set[str]:
        """Return what is installed."""
        paths = (path.relative_to(self.site) for path in self.site.rglob("*") if path.is_file())
        return {path.as_posix() for path in paths if "__pycache__" not in path.parts}


def run(*command: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MATCHCAST_", "PYTHON"))}
    return subprocess.run(command, cwd=cwd, env=kept | variables, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Build the wheel and install it."""
    folder = tmp_path_factory.mktemp("wheel")
    (folder / "work").mkdir()
    built = run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=ROOT)
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("*.whl")
    options = ("--no-deps", "--no-index", "--no-compile", "--disable-pip-version-check", "--target", "site")
    pip = run(sys.executable, "-m", "pip", "install", *options, str(wheel), cwd=folder)
    assert pip.returncode == 0, pip.stderr
    return Installed(folder / "site", folder / "work")


@pytest.fixture
def match_file(tmp_path: Path) -> str:
    """A season file with 24 played matches and odds of Bet365."""
    return str(write(tmp_path, League().files())[0])


def test_the_wheel_has_the_two_packages_with_their_data_and_nothing_else(installed: Installed) -> None:
    top = {path.name for path in installed.site.iterdir() if path.suffix != ".dist-info"}

    assert top == {"bin", "matchcast", "matchcast_tools"}
    lock = ROOT / "functions" / "run_inference" / "requirements-pyfunc.txt"
    assert (installed.site / "matchcast_tools" / "models" / lock.name).read_bytes() == lock.read_bytes()


def test_the_code_of_the_wheel_runs_and_not_that_of_the_checkout(installed: Installed) -> None:
    code = "import matchcast, matchcast_tools; print(matchcast.__file__, matchcast_tools.__file__)"

    done = run(sys.executable, "-c", code, cwd=installed.work, PYTHONPATH=str(installed.site))

    assert done.stdout.count(str(installed.site)) == 2, done.stderr


def test_every_command_is_there(installed: Installed) -> None:
    done = installed.run("--help")

    assert done.returncode == 0, done.stderr
    assert all(command in done.stdout for command in ("up", "import", "train", "publish", "predict", "dlq"))


def test_a_match_file_is_evaluated_outside_the_checkout(installed: Installed, match_file: str) -> None:
    done = installed.run("evaluate", match_file, "--book", "B365", "--json")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows"] == 24


def test_local_state_goes_to_the_working_directory_and_never_next_to_the_code(
    installed: Installed, match_file: str
) -> None:
    # GIVEN the files as they were installed
    before = installed.files()

    # WHEN a command writes a dataset
    done = installed.run("import", match_file)

    # THEN it is under the working directory
    assert done.returncode == 0, done.stderr
    assert (installed.work / ".local" / "data" / "matches.parquet").exists()
    assert installed.files() == before


def test_starting_a_laptop_stack_outside_a_checkout_ends_with_code_3_and_says_what_to_do(installed: Installed) -> None:
    done = installed.run("up", "--detach")

    assert done.returncode == 3
    assert "is not in a checkout" in done.stderr


def test_without_the_libraries_of_the_command_the_message_names_the_extra(installed: Installed) -> None:
    # GIVEN
    code = f"import sys; sys.path.insert(0, {str(installed.site)!r}); from matchcast_tools.__main__ import main; main()"

    # WHEN the interpreter has the standard library only
    done = run(sys.executable, "-I", "-S", "-c", code, cwd=installed.work)

    # THEN
    assert done.returncode == 3
    assert "matchcast[tools]" in done.stderr
    assert "Traceback" not in done.stderr
