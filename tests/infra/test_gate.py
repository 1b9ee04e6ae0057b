"""The same gate everywhere: on GitHub, before a commit, and on a developer's machine."""

from __future__ import annotations

import tomllib
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
