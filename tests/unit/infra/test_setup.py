"""The environment maker, run with interpreters and installers that only pretend."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
# What the script itself needs; the interpreters and installers are the tests' own.
TOOLS = ("sh", "cat", "cksum", "dirname", "mktemp", "rm", "tr", "printf", "env")

FAKE_PYTHON = """#!/bin/sh
# A Python {version} that knows just what the script asks of it.
case "$1 $2" in
    "-VV "*) echo "Python {version}.0 (fake)" ;;
    "-V "*) echo "Python {version}.0" ;;
    "-c import ensurepip") ;;
    "-c "*"print"*) echo "{version}" ;;
    "-c "*"version_info < (3, 11)"*) exit {too_old} ;;
    "-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && echo "home" >"$3/pyvenv.cfg" ;;
    "-m pip")
        echo "pip $*" >>"$CALLS"
        touch "$(dirname "$0")/matchcast"
        chmod +x "$(dirname "$0")/matchcast"
        {pip} ;;
    *) echo "unexpected: $*" >&2; exit 99 ;;
esac
"""
BROKEN_SHIM = "#!/bin/sh\necho 'pyenv: command not found' >&2\nexit 127\n"


class Machine:
    """A PATH with nothing but what a test puts there, and a copy of what the script reads."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.root = folder / "checkout"
        self.calls = folder / "calls"
        (self.root / "infra/requirements").mkdir(parents=True)
        self.bin.mkdir()
        shutil.copy(ROOT / "infra/setup.sh", self.root / "infra/setup.sh")
        (self.root / "infra/requirements/dev.txt").write_text("thing==1 --hash=sha256:00\n")
        (self.root / "pyproject.toml").write_text("[project]\n")
        for tool in (*TOOLS, "cp", "mkdir", "touch", "chmod"):
            found = shutil.which(tool)
            assert found, tool
            (self.bin / tool).symlink_to(found)

    def add(self, name: str, text: str) -> Path:
        path = self.bin / name
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IEXEC)
        return path

    def add_python(self, name: str, version: str, pip: str = "exit 0") -> Path:
        too_old = int(tuple(map(int, version.split("."))) < (3, 11))
        # The script asks with `sys.exit(sys.version_info < ...)`: 1 for too old.
        return self.add(name, FAKE_PYTHON.format(version=version, too_old=too_old, pip=pip))

    def run(self, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "infra/setup.sh"],
            cwd=self.root,
            env={"PATH": str(self.bin), "CALLS": str(self.calls), **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def pip_calls(self) -> list[str]:
        return self.calls.read_text().splitlines() if self.calls.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_python_that_is_too_old_ends_with_code_2_and_says_what_to_install(machine: Machine) -> None:
    # GIVEN
    machine.add_python("python3", "3.9")

    # WHEN
    done = machine.run()

    # THEN
    assert done.returncode == 2
    assert "No Python 3.11 or newer was found" in done.stderr
    assert "python3: Python 3.9" in done.stderr
    assert "Install Python 3.13" in done.stderr
    assert not (machine.root / ".venv").exists()


def test_no_python_at_all_ends_with_code_2(machine: Machine) -> None:
    done = machine.run()

    assert done.returncode == 2
    assert "there is no python3 on the PATH" in done.stderr


def test_a_shim_that_does_not_run_is_skipped(machine: Machine) -> None:
    machine.add("python3.13", BROKEN_SHIM)
    machine.add_python("python3.12", "3.12")

    done = machine.run()

    assert done.returncode == 0, done.stderr
    assert "python3.12 (3.12)" in done.stderr


def test_a_shim_that_does_not_run_is_named_where_nothing_else_does(machine: Machine) -> None:
    machine.add("python3.13", BROKEN_SHIM)

    done = machine.run()

    assert done.returncode == 2
    assert "python3.13: does not run" in done.stderr


def test_a_python_newer_than_the_deployed_one_is_good_enough(machine: Machine) -> None:
    machine.add_python("python3", "3.15")

    assert machine.run().returncode == 0


def test_the_interpreter_that_is_named_comes_first(machine: Machine) -> None:
    machine.add_python("python3.13", "3.13")
    machine.add_python("mine", "3.11")

    done = machine.run(PYTHON="mine")

    assert "and mine (3.11)" in done.stderr


def test_a_named_interpreter_that_is_too_old_is_reported_and_another_one_is_taken(machine: Machine) -> None:
    machine.add_python("python3.13", "3.13")
    machine.add_python("mine", "3.8")

    done = machine.run(PYTHON="mine")

    assert done.returncode == 0
    assert "PYTHON=mine cannot be used; taking python3.13" in done.stderr


def test_without_uv_pip_installs_the_lock_with_hashes_and_then_the_project_alone(machine: Machine) -> None:
    machine.add_python("python3", "3.12")

    machine.run()

    lock, project = machine.pip_calls
    assert lock.endswith("install --require-hashes -r infra/requirements/dev.txt")
    assert project.endswith("install --no-deps --no-build-isolation --editable .")


def test_with_uv_pip_is_not_used(machine: Machine) -> None:
    # GIVEN
    machine.add_python("python3", "3.12")
    machine.add(
        "uv", '#!/bin/sh\necho "uv $*" >>"$CALLS"; mkdir -p .venv/bin; cp "$(command -v python3)" .venv/bin/python\n'
    )

    # WHEN
    done = machine.run()

    # THEN
    assert done.returncode == 0, done.stderr
    assert [call.split()[:3] for call in machine.pip_calls] == [
        ["uv", "--version"],
        ["uv", "venv", "--quiet"],
        ["uv", "pip", "install"],
        ["uv", "pip", "install"],
    ]
    assert "--require-hashes" in machine.pip_calls[2]


def test_a_uv_that_does_not_run_counts_as_absent(machine: Machine) -> None:
    machine.add_python("python3", "3.12")
    machine.add("uv", BROKEN_SHIM)

    assert machine.run().returncode == 0
    assert all(call.startswith("pip ") for call in machine.pip_calls)


def test_a_second_run_installs_nothing(machine: Machine) -> None:
    machine.add_python("python3", "3.12")
    machine.run()
    before = machine.pip_calls

    again = machine.run()

    assert again.returncode == 0
    assert machine.pip_calls == before


@pytest.mark.parametrize("changed", ["infra/requirements/dev.txt", "pyproject.toml"])
def test_a_changed_lock_is_installed_again(machine: Machine, changed: str) -> None:
    machine.add_python("python3", "3.12")
    machine.run()
    before = len(machine.pip_calls)

    (machine.root / changed).write_text("another one\n")
    machine.run()

    assert len(machine.pip_calls) == 2 * before


def test_an_environment_of_another_interpreter_is_made_again(machine: Machine) -> None:
    machine.add_python("python3", "3.12")
    machine.run()
    (machine.root / ".venv" / "old").touch()

    machine.add_python("python3.13", "3.13")
    machine.run()

    assert not (machine.root / ".venv" / "old").exists()


def test_a_failing_installer_shows_its_errors_and_passes_its_code_on(machine: Machine) -> None:
    machine.add_python("python3", "3.12", pip='echo "No matching distribution" >&2; exit 7')

    done = machine.run()

    assert done.returncode == 7
    assert "No matching distribution" in done.stderr
    # THEN the next run tries again
    assert not (machine.root / ".venv" / ".matchcast").exists()


def test_the_script_is_plain_sh(tmp_path: Path) -> None:
    checked = subprocess.run(["sh", "-n", str(ROOT / "infra/setup.sh")], env=dict(os.environ), check=False)

    assert checked.returncode == 0
