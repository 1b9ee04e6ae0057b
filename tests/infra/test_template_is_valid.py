"""The templates keep their order and can be deployed without a choice; `make lint-template` runs cfn-lint on them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import lint_file
from cfnlint.config import ManualArgs

from tests.support.template import MONITORING, ROOT, STORAGE_OUTPUTS, TEMPLATE

RULES = ROOT / "infra" / "cfn_lint_rules"
BANNERS = ["LAYERS", "STORAGE", "QUEUES", "FUNCTIONS", "API", "MONITORING"]


def test_cfn_lint_finds_a_fault_by_a_rule_of_our_own(tmp_path: Path) -> None:
    broken = tmp_path / "template.yaml"
    broken.write_text(MONITORING.read_text().replace("Threshold: !Ref AlarmDeadLetters", "Threshold: 0"))
    config = ManualArgs(append_rules=[str(RULES)])
    assert "E9051" in {match.rule.id for match in lint_file(broken, config=config)}


def test_sam_validates_the_template() -> None:
    # GIVEN
    sam = shutil.which("sam")
    if sam is None:
        pytest.skip("the SAM CLI is not installed; cfn-lint and the translation above need none")
    # WHEN
    done = subprocess.run(
        [sam, "validate", "--lint", "--region", "us-east-1", "--template-file", str(TEMPLATE)],
        cwd=ROOT,
        env={**os.environ, "SAM_CLI_TELEMETRY": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    # THEN
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_template_keeps_its_order() -> None:
    text = TEMPLATE.read_text()
    sections = re.findall(r"^([A-Z]\w+):", text, re.MULTILINE)
    order = ["Transform", "Parameters", "Globals", "Resources", "Outputs"]
    assert [name for name in sections if name in order] == order
    assert re.findall(r"^  # -+ ([A-Z]+) ---$", text, re.MULTILINE) == BANNERS
    assert len(text.splitlines()) < 1650


def test_every_parameter_and_output_is_described(template: dict[str, Any], monitoring: dict[str, Any]) -> None:
    for part in (template["Parameters"], template["Outputs"], monitoring["Parameters"], monitoring["Outputs"]):
        assert [name for name, item in part.items() if not item.get("Description")] == []


def test_the_outputs_are_what_the_tools_ask_for(template: dict[str, Any]) -> None:
    asked = {"ApiUrl", "RefreshSnapshotFunctionName", "ModelRuntime", "TenantShards"}
    asked |= {"UserPoolId", "UserPoolClientId", "TokenUrl"}
    assert set(template["Outputs"]) >= asked | set(STORAGE_OUTPUTS)


def test_a_stack_can_be_made_without_choosing_anything(template: dict[str, Any]) -> None:
    assert [name for name, parameter in template["Parameters"].items() if "Default" not in parameter] == []
