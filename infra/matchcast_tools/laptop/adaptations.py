"""Every difference between the laptop's template and the deployed one, each with its reason: there are no others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from matchcast_tools.errors import BadInput
from matchcast_tools.laptop.http_api import expand_http_apis
from matchcast_tools.laptop.package import dockerfile_command, function_files, image_files, layer_files, zip_files
from matchcast_tools.laptop.template_parts import Template, of_type, statements_of_roles, with_values

LOCAL_RUNTIME = "python3.13"
BATCHED = ("sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:SendMessage")
WITHOUT_TLS = {"Bool": {"aws:SecureTransport": "false"}}


@dataclass(slots=True)
class Artifacts:
    """The files that the template refers to, as they go to the artifacts bucket."""

    root: Path
    bucket: str
    objects: dict[str, bytes] = field(default_factory=dict)

    def add_zip(self, name: str, files: dict[str, bytes]) -> dict[str, str]:
        """Keep a zip, and return its place for the template; other content has another place, so it is deployed."""
        body = zip_files(files)
        key = f"{name}-{digest(body)}.zip"
        self.objects[key] = body
        return {"Bucket": self.bucket, "Key": key}

    def add_template(self, name: str, body: bytes) -> str:
        """Keep a nested template, and return its address."""
        key = f"{digest(body)}-{name}"
        self.objects[key] = body
        return f"https://s3.amazonaws.com/{self.bucket}/{key}"


def digest(body: bytes) -> str:
    """Return what tells contents apart in a name."""
    return hashlib.sha256(body).hexdigest()[:12]


Adaptation = Callable[[Template, Artifacts], None]
"""Changes a template in place; its docstring says what it does, and after "Why:" the reason."""


def set_parameters(template: Template, _: Artifacts) -> None:
    """Let each queue's function run twice at once, and results be as old as they are.

    Why: more would start more interpreters than a laptop has cores, and all of them would be late. The seasons of the
    sample league are over, so that its stack would never be healthy.
    """
    for name, parameter in template.get("Parameters", {}).items():
        if name.endswith("MaximumConcurrency"):
            parameter["Default"] = 2
        if name == "ResultsStaleSeconds":
            parameter["Default"] = parameter["MaxValue"]


def package_zip_functions(template: Template, artifacts: Artifacts) -> None:
    """Replace the folder of each zip function by a zip in the artifacts bucket.

    Why: `sam package` does the same after a build, and plain Python needs no build.
    """
    for name, function in of_type(template, "AWS::Serverless::Function"):
        if "Dockerfile" not in function.get("Metadata", {}):
            properties = function["Properties"]
            properties["CodeUri"] = artifacts.add_zip(name, function_files(artifacts.root, properties["CodeUri"]))


def run_images_as_python(template: Template, artifacts: Artifacts) -> None:
    """Make each image function a Python function of what its Dockerfile copies.

    Why: an image needs Docker; this environment has the same libraries.
    """
    for name, function in of_type(template, "AWS::Serverless::Function"):
        if "Dockerfile" not in function.get("Metadata", {}):
            continue
        image, properties = function.pop("Metadata"), function["Properties"]
        source = artifacts.root, image["DockerContext"], image["Dockerfile"]
        configured = (properties.pop("ImageConfig", None) or {}).get("Command")
        handler = configured[0] if configured else dockerfile_command(*source)
        if handler is None:
            raise BadInput(f"{name} has neither ImageConfig.Command nor a CMD in {source[2]}: no handler to run.")
        properties |= {
            "PackageType": "Zip",
            "Runtime": LOCAL_RUNTIME,
            "Handler": handler,
            "CodeUri": artifacts.add_zip(name, image_files(*source)),
        }


def drop_library_layers(template: Template, artifacts: Artifacts) -> None:
    """Keep the layer that is our own code, as a zip, and drop those that a build fills with libraries.

    Why: functions run in this environment's interpreter, which has the libraries, locked in infra/requirements.
    """
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


def add_trailing_slashes(template: Template, _: Artifacts) -> None:
    """Add a path `/path/` for each `/path/{proxy+}` of an API.

    Why: API Gateway takes a request for `/path/` by `/path/{proxy+}`; the engine's `{proxy+}` needs a character.
    """
    for _name, api in of_type(template, "AWS::ApiGatewayV2::Api"):
        paths = api["Properties"].get("Body", {}).get("paths", {})
        paths.update({path.removesuffix("{proxy+}"): paths[path] for path in paths if path.endswith("/{proxy+}")})


def expand_api(template: Template, _: Artifacts) -> None:
    """Make each route, integration and authorizer of an API's body a resource, and fix the API's id.

    Why: the engine makes no routes from an OpenAPI body; a fixed id gives an address that stays.
    """
    template["Resources"] = expand_http_apis(template)


def upload_nested_templates(template: Template, artifacts: Artifacts) -> None:
    """Replace the path of each nested template by the address of a copy in the artifacts bucket.

    Why: `sam package` does the same.
    """
    for _, nested in of_type(template, "AWS::CloudFormation::Stack"):
        location = nested["Properties"]["TemplateURL"]
        body = (artifacts.root / location).read_bytes()
        nested["Properties"]["TemplateURL"] = artifacts.add_template(Path(location).name, body)


def write_numbers_out(template: Template, _: Artifacts) -> None:
    """Replace references to Number parameters in event source mappings by the numbers.

    Why: the engine resolves them as text, and its poller compares them with numbers.
    """
    numbers = {
        name: json.loads(str(parameter["Default"]))
        for name, parameter in template.get("Parameters", {}).items()
        if parameter["Type"] == "Number"
    }
    for _name, mapping in of_type(template, "AWS::Lambda::EventSourceMapping"):
        mapping["Properties"] = with_values(mapping["Properties"], numbers)


def drop_empty_endpoints(template: Template, _: Artifacts) -> None:
    """Leave the empty AWS_ENDPOINT_URL out of the functions' environments.

    Why: the engine sets its own address there, unless the variable is set, even to nothing.
    """
    for _name, function in of_type(template, "AWS::Lambda::Function"):
        variables = function["Properties"].get("Environment", {}).get("Variables", {})
        if variables.get("AWS_ENDPOINT_URL") == "":
            del variables["AWS_ENDPOINT_URL"]


def drop_tls_only(template: Template, _: Artifacts) -> None:
    """Drop the policies of buckets and queues that deny requests without TLS; keep their other statements.

    Why: the engine enforces policies, and its clients on this machine speak plain HTTP.
    """
    for kind in ("AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy"):
        for name, policy in of_type(template, kind):
            document = policy["Properties"]["PolicyDocument"]
            document["Statement"] = [one for one in document["Statement"] if one.get("Condition") != WITHOUT_TLS]
            if not document["Statement"]:
                del template["Resources"][name]


def allow_batches(template: Template, _: Artifacts) -> None:
    """Allow a role the batch form of each action of a queue that it is allowed.

    Why: SQS has one permission for both forms; the engine asks for an action of the batch form's own name.
    """
    for statement in statements_of_roles(template):
        allowed = statement["Action"]
        actions = [allowed] if isinstance(allowed, str) else allowed
        statement["Action"] = [*actions, *(f"{one}Batch" for one in actions if one in BATCHED)]


def drop_encryption_contexts(template: Template, _: Artifacts) -> None:
    """Leave the conditions on KMS's encryption context out of roles.

    Why: the engine knows no such condition, and denies what asks for one; it does compare the contexts themselves.
    """
    for statement in statements_of_roles(template):
        if "kms:EncryptionContext:" in json.dumps(statement.get("Condition", {})):
            del statement["Condition"]


def name_secrets_by_arn(template: Template, _: Artifacts) -> None:
    """Replace each `Ref` to a secret by its attribute `Id`.

    Why: on AWS both are the secret's ARN, which roles name; the engine's `Ref` is the secret's name.
    """
    arns = {name: {"Fn::GetAtt": [name, "Id"]} for name, _secret in of_type(template, "AWS::SecretsManager::Secret")}
    for section in ("Resources", "Outputs"):
        template[section] = with_values(template.get(section, {}), arns)


BEFORE_SAM: tuple[Adaptation, ...] = (
    set_parameters,
    package_zip_functions,
    run_images_as_python,
    drop_library_layers,
)
AFTER_SAM: tuple[Adaptation, ...] = (
    add_trailing_slashes,
    expand_api,
    upload_nested_templates,
    write_numbers_out,
    drop_empty_endpoints,
    drop_tls_only,
    allow_batches,
    drop_encryption_contexts,
    name_secrets_by_arn,
)
