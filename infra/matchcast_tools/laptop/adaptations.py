"""Everything in which the laptop's template differs from the deployed one, each with its reason: nothing else may."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from matchcast_tools.errors import BadInput
from matchcast_tools.laptop.http_api import expand_http_apis
from matchcast_tools.laptop.package import dockerfile_command, function_files, image_files, layer_files, zip_files

Template = dict[str, Any]
LOCAL_RUNTIME = "python3.13"
LOCAL_PARAMETERS = {"HighMaximumConcurrency": 2, "NormalMaximumConcurrency": 2}


@dataclass(slots=True)
class Artifacts:
    """The files that the template refers to, as they go to the artifacts bucket."""

    root: Path
    bucket: str
    objects: dict[str, bytes] = field(default_factory=dict)

    def add_zip(self, name: str, files: dict[str, bytes]) -> dict[str, str]:
        """Keep a zip, and return where the template finds it."""
        key = f"{name}.zip"
        self.objects[key] = zip_files(files)
        return {"Bucket": self.bucket, "Key": key}

    def add_template(self, name: str, body: bytes) -> str:
        """Keep a nested template, and return its address."""
        self.objects[name] = body
        return f"https://s3.amazonaws.com/{self.bucket}/{name}"


@dataclass(frozen=True, slots=True)
class Adaptation:
    """One difference: what is done, why, and the function that does it in place."""

    what: str
    why: str
    apply: Callable[[Template, Artifacts], None]


def set_parameters(template: Template, artifacts: Artifacts) -> None:  # noqa: ARG001 - as all of them
    """Give parameters the values that suit a laptop."""
    for name, value in LOCAL_PARAMETERS.items():
        if name in template.get("Parameters", {}):
            template["Parameters"][name]["Default"] = value


def package_zip_functions(template: Template, artifacts: Artifacts) -> None:
    """Replace each zip function's folder by a zip of it."""
    for name, function in of_type(template, "AWS::Serverless::Function"):
        if "Dockerfile" not in function.get("Metadata", {}):
            properties = function["Properties"]
            properties["CodeUri"] = artifacts.add_zip(name, function_files(artifacts.root, properties["CodeUri"]))


def run_images_as_python(template: Template, artifacts: Artifacts) -> None:
    """Make each image function a Python function of what its Dockerfile copies."""
    for name, function in of_type(template, "AWS::Serverless::Function"):
        image = function.get("Metadata", {})
        if "Dockerfile" not in image:
            continue
        context, dockerfile = image["DockerContext"], image["Dockerfile"]
        properties = function["Properties"]
        configured = (properties.pop("ImageConfig", None) or {}).get("Command")
        handler = configured[0] if configured else dockerfile_command(artifacts.root, context, dockerfile)
        if handler is None:
            raise BadInput(f"{name} has neither ImageConfig.Command nor a CMD in {dockerfile}: no handler to run.")
        properties |= {
            "PackageType": "Zip",
            "Runtime": LOCAL_RUNTIME,
            "Handler": handler,
            "CodeUri": artifacts.add_zip(name, image_files(artifacts.root, context, dockerfile)),
        }
        del function["Metadata"]


def drop_library_layers(template: Template, artifacts: Artifacts) -> None:
    """Keep the layer that is our own code, and drop those that a build fills with libraries."""
    dropped = set()
    for name, layer in of_type(template, "AWS::Serverless::LayerVersion"):
        if "BuildMethod" in layer.get("Metadata", {}):
            dropped.add(name)
            del template["Resources"][name]
        else:
            content = layer_files(artifacts.root, layer["Properties"]["ContentUri"])
            layer["Properties"]["ContentUri"] = artifacts.add_zip(name, content)
    for _, function in of_type(template, "AWS::Serverless::Function"):
        layers = function["Properties"].get("Layers", [])
        function["Properties"]["Layers"] = [layer for layer in layers if layer.get("Ref") not in dropped]


def upload_nested_templates(template: Template, artifacts: Artifacts) -> None:
    """Replace the path of each nested template by the address of a copy of it."""
    for _, nested in of_type(template, "AWS::CloudFormation::Stack"):
        location = nested["Properties"]["TemplateURL"]
        body = (artifacts.root / location).read_bytes()
        nested["Properties"]["TemplateURL"] = artifacts.add_template(Path(location).name, body)


def expand_api(template: Template, artifacts: Artifacts) -> None:  # noqa: ARG001 - as all of them
    """Make each route, integration and authorizer of an API's body a resource."""
    template["Resources"] = expand_http_apis(template)


def write_numbers_out(template: Template, artifacts: Artifacts) -> None:  # noqa: ARG001 - as all of them
    """Replace references to Number parameters in event source mappings by the numbers."""
    numbers = {
        name: json.loads(str(parameter["Default"]))
        for name, parameter in template.get("Parameters", {}).items()
        if parameter["Type"] == "Number"
    }
    for _, mapping in of_type(template, "AWS::Lambda::EventSourceMapping"):
        mapping["Properties"] = with_values(mapping["Properties"], numbers)


def drop_empty_endpoints(template: Template, artifacts: Artifacts) -> None:  # noqa: ARG001
    """Leave the empty endpoint out of the functions' environments."""
    for _, function in of_type(template, "AWS::Lambda::Function"):
        variables = function["Properties"].get("Environment", {}).get("Variables", {})
        if variables.get("AWS_ENDPOINT_URL") == "":
            del variables["AWS_ENDPOINT_URL"]


def with_values(node: Any, values: Mapping[str, Any]) -> Any:
    """Return a part of a template with each reference to one of `values` replaced."""
    match node:
        case {"Ref": name} if name in values:
            return values[name]
        case dict():
            return {key: with_values(item, values) for key, item in node.items()}
        case list():
            return [with_values(item, values) for item in node]
        case _:
            return node


def of_type(template: Template, kind: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the resources of one type."""
    return [(name, item) for name, item in template["Resources"].items() if item["Type"] == kind]


BEFORE_SAM = (
    Adaptation(
        "each lane runs two receives at once",
        "more would start more interpreters than a laptop has cores, and all of them would be late",
        set_parameters,
    ),
    Adaptation(
        "functions and the core layer are zips in an artifacts bucket",
        "as `sam package` does, but without a build: plain Python needs none",
        package_zip_functions,
    ),
    Adaptation(
        "image functions are Python functions of what their Dockerfile copies",
        "an image needs Docker; this environment has the same libraries",
        run_images_as_python,
    ),
    Adaptation(
        "layers of libraries are left out",
        "functions run in this environment's interpreter, which has the libraries, locked in infra/requirements",
        drop_library_layers,
    ),
)
AFTER_SAM = (
    Adaptation(
        "the API's body is expanded into routes, integrations and authorizers, and the API's id is fixed",
        "the engine makes no routes from an OpenAPI body; a fixed id gives an address that stays",
        expand_api,
    ),
    Adaptation(
        "nested templates are copied to the artifacts bucket",
        "as `sam package` does",
        upload_nested_templates,
    ),
    Adaptation(
        "numbers that parameters give to event source mappings are written out",
        "the engine resolves them as text, and its poller compares them with numbers",
        write_numbers_out,
    ),
    Adaptation(
        "the empty AWS_ENDPOINT_URL of functions is left out",
        "the engine names itself there, unless the variable is set, be it empty",
        drop_empty_endpoints,
    ),
)
