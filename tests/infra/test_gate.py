"""The same gate everywhere: on GitHub, before a commit, and on a developer's machine."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from typing import Any

import yaml

from tests.support.template import ROOT, load


def read(path: str) -> Any:
    # YAML 1.1 reads the key `on` as true; nothing here asks for it.
    return yaml.safe_load((ROOT / path).read_text())


def test_the_workflow_runs_the_gate_on_every_supported_python() -> None:
    job = read(".github/workflows/test.yml")["jobs"]["test"]
    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
    assert [step["run"] for step in job["steps"] if "run" in step] == ["make test PYTHON=python${{ matrix.python }}"]
    oldest = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert oldest == f">={job['strategy']['matrix']['python'][0]}"


def test_the_workflow_builds_what_is_deployed_and_looks_at_it() -> None:
    job = read(".github/workflows/test.yml")["jobs"]["build"]
    [python] = [step["with"]["python-version"] for step in job["steps"] if "setup-python" in step.get("uses", "")]
    assert {item["Properties"].get("Runtime") for item in load()["Resources"].values()} - {None} == {f"python{python}"}
    validate, build, look = [step["run"] for step in job["steps"] if "run" in step]
    assert validate.startswith("sam validate --lint")
    assert build == "make build"
    assert look == ".venv/bin/pytest tests/infra/test_build.py"


def test_an_action_is_pinned_by_its_commit_and_moved_by_a_robot() -> None:
    jobs = read(".github/workflows/test.yml")["jobs"].values()
    used = [step["uses"] for job in jobs for step in job["steps"] if "uses" in step]
    assert [action for action in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action)] == []
    updates = {each["package-ecosystem"]: each for each in read(".github/dependabot.yml")["updates"]}
    assert "github-actions" in updates
    folders = sorted(f"/{path.parent.relative_to(ROOT)}" for path in (ROOT / "functions").glob("*/Dockerfile"))
    assert updates["docker"]["directories"] == folders


def test_the_workflow_may_read_and_no_more() -> None:
    assert read(".github/workflows/test.yml")["permissions"] == {"contents": "read"}


def test_hooks_run_what_is_installed_here_and_fetch_nothing() -> None:
    repositories = read(".pre-commit-config.yaml")["repos"]
    assert [repository["repo"] for repository in repositories] == ["local"]
    hooks = repositories[0]["hooks"]
    assert {hook["language"] for hook in hooks} == {"system"}
    assert {"ruff-check", "ruff-format", "mypy", "cfn-lint"} <= {hook["id"] for hook in hooks}


def long_tests(lines: int) -> Iterator[tuple[str, str]]:
    """Yield place and text of the tests whose body, without its docstring, has more than so many lines."""
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        source = path.read_text()
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                first = node.body[1:2] if ast.get_docstring(node) is not None else node.body
                if first and (node.end_lineno or 0) - first[0].lineno >= lines:
                    text = "\n".join(source.splitlines()[node.lineno : node.end_lineno])
                    yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", text


def test_a_long_test_shows_what_happens_and_what_follows() -> None:
    # What is given may come from fixtures alone.
    unmarked = [place for place, text in long_tests(10) if not ("# WHEN" in text and "# THEN" in text)]
    assert unmarked == []
