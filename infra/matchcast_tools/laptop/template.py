"""The real template as the local engine can deploy it: adapted, run through SAM, adapted again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matchcast_tools.errors import BadInput
from matchcast_tools.laptop.adaptations import AFTER_SAM, BEFORE_SAM, Artifacts
from matchcast_tools.laptop.parameters import set_defaults
from matchcast_tools.laptop.template_parts import of_type
from matchcast_tools.stack.sessions import LAPTOP_REGION


@dataclass(frozen=True, slots=True)
class LocalTemplate:
    """A CloudFormation template for the local engine.

    Attributes
    ----------
    body
        The template as JSON.
    objects
        The objects of the artifacts bucket that it refers to, by key.
    time_to_live
        The TTL attribute of each table by logical id: the engine ignores it in the template and needs a call.
    """

    body: str
    objects: dict[str, bytes]
    time_to_live: dict[str, str]

    @property
    def digest(self) -> str:
        """What tells this template and its objects from others."""
        hasher = hashlib.sha256(self.body.encode())
        for key in sorted(self.objects):
            hasher.update(key.encode() + b"\0" + self.objects[key] + b"\0")
        return hasher.hexdigest()


def local_template(path: Path, bucket: str, parameters: Mapping[str, str] | None = None) -> LocalTemplate:
    """Translate a SAM template, whose paths are relative to its folder; its code goes to the artifacts `bucket`.

    `parameters` replace the defaults of the template's parameters.

    Raises
    ------
    BadInput
        If the template cannot be read, is not valid SAM, or has no such parameter.
    """
    template = read_template(path)
    artifacts = Artifacts(root=path.parent, bucket=bucket)
    for adaptation in BEFORE_SAM:
        adaptation(template, artifacts)
    # After the adaptations: values that were asked for replace those that suit a laptop.
    set_defaults(template, parameters or {})
    translated = run_sam(template, path)
    for adaptation in AFTER_SAM:
        adaptation(translated, artifacts)
    return LocalTemplate(
        body=json.dumps(translated),
        objects=artifacts.objects,
        time_to_live={
            name: table["Properties"]["TimeToLiveSpecification"]["AttributeName"]
            for name, table in of_type(translated, "AWS::DynamoDB::Table")
            if "TimeToLiveSpecification" in table["Properties"]
        },
    )


def read_template(path: Path) -> dict[str, Any]:
    """Read a template with CloudFormation's short forms (`!Ref`, `!Sub`, ...).

    Raises
    ------
    BadInput
        If the file is missing or is not a template.
    """
    from samtranslator.yaml_helper import yaml_parse
    from yaml import YAMLError

    try:
        template = yaml_parse(path.read_text())
    except FileNotFoundError:
        raise BadInput(f"{path} is missing: run the command in a checkout of the project.") from None
    except YAMLError as error:
        raise BadInput(f"{path} is not YAML: {error}") from error
    if not isinstance(template, dict) or "Resources" not in template:
        raise BadInput(f"{path} is not a CloudFormation template: it has no Resources.")
    return template


def run_sam(template: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return what the SAM transform makes of a template whose parameters have their defaults.

    Raises
    ------
    BadInput
        If SAM refuses it.
    """
    import boto3
    from samtranslator.model.exceptions import ExceptionWithMessage
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator

    values = {name: item["Default"] for name, item in template.get("Parameters", {}).items() if "Default" in item}
    # The translator looks up managed policies at AWS when a function names one; the template has its own statements.
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name=LAPTOP_REGION))
    try:
        translated = translator.translate(sam_template=template, parameter_values=values)
    except ExceptionWithMessage as error:
        causes = "; ".join(cause.message or "" for cause in getattr(error, "causes", [])) or error.message
        raise BadInput(f"SAM refuses {path}: {causes}") from error
    translated.pop("Transform", None)
    return dict(translated)
