"""Names that begin with the stack's: a stack whose name is too long is refused before anything is made."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest

from tests.support.template import ROOT

LONGEST = {
    ("AWS::Lambda::Function", "FunctionName"): 64,
    ("AWS::SQS::Queue", "QueueName"): 80,
    ("AWS::Logs::LogGroup", "LogGroupName"): 512,
    ("AWS::CloudWatch::Alarm", "AlarmName"): 255,
    ("AWS::CloudWatch::Dashboard", "DashboardName"): 255,
}
STACK = re.compile(r"\$\{(AWS::StackName|ParentStackName)\}")


def longest_stack_name(*templates: dict[str, Any]) -> int:
    """Return how many characters a stack's name may have, by what is added to it in names."""
    left = 128
    for template in templates:
        for item in template["Resources"].values():
            for key, value in item.get("Properties", {}).items():
                name = value.get("Fn::Sub") if isinstance(value, dict) else None
                if key.endswith("Name") and isinstance(name, str) and STACK.search(name):
                    left = min(left, LONGEST[item["Type"], key] - len(STACK.sub("", name)))
    return left


def stack_name(name: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "stack-name", f"STACK={name}"], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_a_deployment_begins_with_a_look_at_the_length_of_the_name(
    plain: dict[str, Any], monitoring: dict[str, Any]
) -> None:
    # GIVEN the longest name that all names in the templates leave room for
    longest = longest_stack_name(plain, monitoring)
    assert longest == 45
    # WHEN stacks of that name, and of one character more, are to be deployed
    fitting, too_long = stack_name("s" * longest), stack_name("s" * (longest + 1))
    # THEN only the second is refused, with the limit
    assert fitting.returncode == 0, fitting.stderr
    assert too_long.returncode == 2
    assert f"{longest} are the most" in too_long.stderr
    assert re.search(r"^deploy: stack-name build\b", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("made", ["", "STACK=other"])
def test_the_stack_is_named_by_the_configuration_or_by_the_caller(made: str) -> None:
    asked = ["make", "--dry-run", "--always-make", "deploy", *([made] if made else [])]
    printed = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert f'--stack-name "{made.removeprefix("STACK=") or "matchcast"}"' in printed


@pytest.mark.parametrize("runtime", ["", "pyfunc"])
def test_images_and_stack_are_given_the_same_runtime(runtime: str) -> None:
    # WHEN a deployment is shown
    asked = ["make", "--dry-run", "--always-make", "deploy", f"MODEL_RUNTIME={runtime}"]
    printed = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    # THEN build and deployment have the parameter, or neither has one
    steps = re.findall(r"^sam (build|deploy)\b(.*)$", printed, re.MULTILINE)
    assert [step for step, _ in steps] == ["build", "deploy"]
    overrides = [re.findall(r"--parameter-overrides (\S+)", options) for _, options in steps]
    assert overrides == [[f"ModelRuntime={runtime}"] if runtime else []] * 2
