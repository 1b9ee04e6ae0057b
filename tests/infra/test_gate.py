"""The same gate everywhere: on GitHub, before a commit, and on a developer's machine."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from typing import Any

import yaml

from tests.support.template import ROOT


def read(path: str) -> Any:
    # YAML 1.1 reads the key `on` as true; nothing here asks for it.
    return yaml.safe_load((ROOT / path).read_text())


def test_the_workflow_runs_the_gate_on_every_supported_python() -> None:
    [job] = read(".github/workflows/test.yml")["jobs"].values()
    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
    assert [step["run"] for step in job["steps"] if "run" in step] == ["make test PYTHON=python${{ matrix.python }}"]
    oldest = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert oldest == f">={job['strategy']['matrix']['python'][0]}"


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
