"""`make mutants`: small changes of the code, one at a time; for each, some quick test has to fail.

mutmut makes the mutants and runs, for each of them, the tests that reach the changed function. It derives the names of
modules from paths, so it works in a scratch folder in which the package stands at the top. It changes neither decorated
functions nor what is outside of functions. Mutants of texts for people (of several words) are not counted: tests hold
what an error is, and not every word of it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from tests.proofs.claims import Claims
from tests.support.template import ROOT

SCRATCH = ROOT / ".local" / "mutants"
TOOLS = SCRATCH / "tools"
WORK = SCRATCH / "work"
LOCK = ROOT / "infra" / "requirements" / "mutants.txt"
REVIEWED = Path(__file__).with_name("equivalent_mutants.toml")
MODULES = (
    "tasks/*",
    "http/*",
    "adapters/dynamodb_*",
    "adapters/sqs_*",
    "adapters/aws_errors",
    "adapters/lambda_inference",
)
# Those that reach these modules, without a stack and without an interpreter of their own, which knew nothing of mutmut.
# It makes the answers of the document while modules are imported, which is before mutmut chooses a mutant.
LEFT_OUT = "http/contract"
TESTS = (
    *(f"tests/unit/layers/matchcast/{room}" for room in ("tasks", "http", "predictions")),
    *(f"tests/unit/layers/matchcast/adapters/test_{name}.py" for name in ("abandoned_invocations", "aws_errors")),
    "tests/unit/layers/matchcast/adapters/test_lambda_inference.py",
    "tests/unit/functions",
    "tests/contract",
)
# Modules of the scratch folder come first, then mutmut.
ENVIRONMENT = os.environ | {
    "PYTHONPATH": os.pathsep.join((str(WORK / "mutants"), str(TOOLS))),
    "PYTHONDONTWRITEBYTECODE": "1",
}
NOT_KILLED = {"survived", "no tests"}


def main(
    module: Annotated[list[str] | None, typer.Option(help="Only of this one, like tasks/run; again for more.")] = None,
    sample: Annotated[float, typer.Option(min=0.001, max=1, help="Test this share of the mutants.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Of the choice.")] = 1,
    workers: Annotated[int, typer.Option(min=1, help="Processes that test mutants.")] = 2,
) -> None:
    """Count the mutants that the quick tests kill, and show those that survive."""
    claims = Claims()
    install()
    prepare(tuple(module) if module else MODULES)
    claims.say("making the mutants")
    made = json.loads(in_scratch("-m", "tests.proofs.mutmut_calls", "make", str(sample), str(seed)))
    claims.say(f"testing {made['tested']} of {made['made']} mutants")
    # What mutmut prints is its progress.
    command = [sys.executable, str(TOOLS / "bin" / "mutmut"), "run", "--max-children", str(workers)]
    subprocess.run(command, check=True, cwd=WORK, env=ENVIRONMENT)
    ends: dict[str, Any] = json.loads(in_scratch("-m", "tests.proofs.mutmut_calls", "report"))
    texts = [name for name, end in ends.items() if is_text(*changed(end["difference"]))]
    for name in texts:
        del ends[name]
    reviewed = tomllib.loads(REVIEWED.read_text())["equivalent"]
    equal = {change(entry["before"], entry["after"]) for entry in reviewed}
    counts = Counter(end["status"] for end in ends.values())
    unnoticed = {name: end["difference"] for name, end in ends.items() if end["status"] in NOT_KILLED}
    survivors = {name: lines for name, lines in unnoticed.items() if changed(lines) not in equal}
    for name, lines in survivors.items():
        typer.echo(f"\n{name}\n" + "\n".join(lines))
    equivalent = len(unnoticed) - len(survivors)
    killed = len(ends) - len(unnoticed)
    claims.hold(
        "every mutant that changes what the code does is killed",
        holds=not survivors,
        made=made["made"],
        of_texts=len(texts),
        tested=len(ends),
        killed=killed,
        of_them_by_timeout=counts["timeout"],
        equivalent=equivalent,
        survived=len(survivors),
        score=round(killed / max(1, len(ends) - equivalent), 4),
        sample=sample,
        seed=seed,
    )
    claims.finish()


def install() -> None:
    """Install mutmut beside the environment, which the gate does not need it in."""
    stamp = TOOLS / "lock.txt"
    if stamp.is_file() and stamp.read_bytes() == LOCK.read_bytes():
        return
    shutil.rmtree(TOOLS, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    options = ["--no-deps", "--require-hashes", "--target", str(TOOLS), "--requirement", str(LOCK)]
    subprocess.run([*command, *options], check=True)
    shutil.copy(LOCK, stamp)


def prepare(modules: tuple[str, ...]) -> None:
    """Copy the checkout with the package at its top, and tell mutmut what to change and to run."""
    shutil.rmtree(WORK, ignore_errors=True)
    unwanted = shutil.ignore_patterns("__pycache__")
    for folder in ("functions", "infra", "layers", "tests"):
        shutil.copytree(ROOT / folder, WORK / folder, ignore=unwanted)
    shutil.move(WORK / "layers" / "core" / "python" / "matchcast", WORK / "matchcast")
    shutil.copy(ROOT / "template.yaml", WORK)
    project = (ROOT / "pyproject.toml").read_text().replace(', "layers/core/python"]\naddopts', "]\naddopts")
    assert tomllib.loads(project)["tool"]["pytest"]["ini_options"]["pythonpath"] == [".", "infra"]
    settings = {
        "source_paths": ["matchcast"],
        "only_mutate": [f"matchcast/{module}.py" for module in modules],
        "do_not_mutate": [f"matchcast/{LEFT_OUT}.py"],
        "also_copy": ["functions", "infra", "layers", "template.yaml"],
        "pytest_add_cli_args": ["-p", "no:cacheprovider", "--hypothesis-profile=ci"],
        "pytest_add_cli_args_test_selection": list(TESTS),
        "use_git_change_detection": False,
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    (WORK / "pyproject.toml").write_text("\n".join([project, "[tool.mutmut]", *lines, ""]))


def in_scratch(*arguments: str) -> str:
    """Return what Python prints in the scratch folder, where its modules come first, then mutmut."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, check=True, cwd=WORK, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True).stdout


def change(before: str, after: str) -> tuple[str, str]:
    """Return a change without what formatting has to do with."""
    return " ".join(before.split()), " ".join(after.split())


def is_text(before: str, after: str) -> bool:
    """Return whether only the words of a text for people were changed: marked at its ends, or their letters."""
    marked = re.search(r"XX(.*)XX", after)
    if marked is not None:
        return " " in marked[1].strip() and after.replace("XX", "") == before
    return (
        before != after and before.lower() == after.lower() and re.search(r"""["'}][^"'{}]*\w \w""", before) is not None
    )


def changed(difference: list[str]) -> tuple[str, str]:
    """Return what the lines of a difference take away, and what they put there."""
    before, after = (
        " ".join(line[1:] for line in difference if line.startswith(sign) and not line.startswith(3 * sign))
        for sign in "-+"
    )
    return change(before, after)


if __name__ == "__main__":
    typer.run(main)
