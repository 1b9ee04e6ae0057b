"""The template as the local engine gets it: a small one for each adaptation, and the product's own."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import pytest

from matchcast_tools.errors import BadInput
from matchcast_tools.laptop.adaptations import AFTER_SAM, BEFORE_SAM, Adaptation
from matchcast_tools.laptop.template import LocalTemplate, local_template, read_template

ROOT = Path(__file__).resolve().parents[5]

SMALL = """
    AWSTemplateFormatVersion: "2010-09-09"
    Transform: AWS::Serverless-2016-10-31
    Parameters:
      Concurrency: {Type: Number, Default: 10}
      HighMaximumConcurrency: {Type: Number, Default: 10}
      Level: {Type: String, Default: INFO, AllowedValues: [INFO, DEBUG]}
    Resources:
      Core:
        Type: AWS::Serverless::LayerVersion
        Properties: {ContentUri: layers/core/}
      Libraries:
        Type: AWS::Serverless::LayerVersion
        Metadata: {BuildMethod: python3.13}
        Properties: {ContentUri: layers/vendor/}
      Queue: {Type: AWS::SQS::Queue}
      Table:
        Type: AWS::DynamoDB::Table
        Properties:
          BillingMode: PAY_PER_REQUEST
          AttributeDefinitions: [{AttributeName: pk, AttributeType: S}]
          KeySchema: [{AttributeName: pk, KeyType: HASH}]
          TimeToLiveSpecification: {AttributeName: gone_at, Enabled: true}
      Zip:
        Type: AWS::Serverless::Function
        Properties:
          Runtime: python3.13
          Handler: functions.zip.handler.lambda_handler
          CodeUri: functions/zip/
          Layers: [!Ref Core, !Ref Libraries]
          Environment: {Variables: {LEVEL: !Ref Level}}
      Image:
        Type: AWS::Serverless::Function
        Metadata: {Dockerfile: Dockerfile, DockerContext: ., DockerTag: image}
        Properties:
          PackageType: Image
          Events:
            Lane:
              Type: SQS
              Properties:
                Queue: !GetAtt Queue.Arn
                BatchSize: 7
                ScalingConfig: {MaximumConcurrency: !Ref Concurrency}
      Alarms:
        Type: AWS::Serverless::Application
        Properties: {Location: alarms.yaml, Parameters: {Name: !Ref Queue}}
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in ("functions/__init__.py", "functions/zip/handler.py", "functions/image/handler.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("# code\n")
    (tmp_path / "layers/core/python").mkdir(parents=True)
    (tmp_path / "layers/core/python/core.py").write_text("# core\n")
    (tmp_path / "alarms.yaml").write_text("Resources: {}\n")
    (tmp_path / "Dockerfile").write_text(
        'FROM base\nCOPY functions/image ${LAMBDA_TASK_ROOT}/functions/image/\nCMD ["functions.image.handler.go"]\n'
    )
    (tmp_path / "template.yaml").write_text(textwrap.dedent(SMALL))
    return tmp_path


def translate(checkout: Path) -> tuple[LocalTemplate, dict[str, Any]]:
    template = local_template(checkout / "template.yaml", "artifacts")
    return template, json.loads(template.body)["Resources"]


def key(template: LocalTemplate, name: str) -> str:
    """Return the key of the only zip of a function or layer."""
    (found,) = [key for key in template.objects if key.startswith(f"{name}-") and key.endswith(".zip")]
    return found


def test_a_zip_function_gets_its_code_from_the_artifacts_bucket(checkout: Path) -> None:
    template, resources = translate(checkout)

    assert resources["Zip"]["Properties"]["Code"] == {"S3Bucket": "artifacts", "S3Key": key(template, "Zip")}


def test_layers_of_libraries_are_dropped_and_our_own_stays(checkout: Path) -> None:
    template, resources = translate(checkout)

    layers = [name for name, item in resources.items() if item["Type"] == "AWS::Lambda::LayerVersion"]
    assert len(layers) == 1
    assert layers[0].startswith("Core")
    assert resources["Zip"]["Properties"]["Layers"] == [{"Ref": layers[0]}]
    assert key(template, "Core")


def test_an_image_function_becomes_a_python_function_with_the_handler_of_its_command(checkout: Path) -> None:
    template, resources = translate(checkout)

    properties = resources["Image"]["Properties"]
    assert properties["Handler"] == "functions.image.handler.go"
    assert properties["Runtime"] == "python3.13"
    assert properties["Code"] == {"S3Bucket": "artifacts", "S3Key": key(template, "Image")}
    assert "PackageType" not in properties or properties["PackageType"] == "Zip"


def test_the_command_of_the_template_comes_before_the_dockerfile(checkout: Path) -> None:
    # GIVEN
    path = checkout / "template.yaml"
    path.write_text(
        path.read_text().replace(
            "PackageType: Image", "PackageType: Image\n      ImageConfig: {Command: [functions.image.handler.split]}"
        )
    )

    # WHEN
    _, resources = translate(checkout)

    # THEN
    assert resources["Image"]["Properties"]["Handler"] == "functions.image.handler.split"
    assert "ImageConfig" not in resources["Image"]["Properties"]


def test_an_image_without_a_command_is_refused(checkout: Path) -> None:
    (checkout / "Dockerfile").write_text("FROM base\nCOPY functions/image ${LAMBDA_TASK_ROOT}/functions/image/\n")

    with pytest.raises(BadInput, match="no handler to run"):
        translate(checkout)


def test_numbers_of_an_event_source_mapping_are_numbers(checkout: Path) -> None:
    _, resources = translate(checkout)

    properties = resources["ImageLane"]["Properties"]
    assert properties["ScalingConfig"] == {"MaximumConcurrency": 10}
    assert properties["BatchSize"] == 7


def test_parameters_get_the_values_that_suit_a_laptop(checkout: Path) -> None:
    parameters = json.loads(translate(checkout)[0].body)["Parameters"]

    assert parameters["HighMaximumConcurrency"]["Default"] == 2
    assert parameters["Concurrency"]["Default"] == 10


def test_other_references_to_parameters_stay(checkout: Path) -> None:
    _, resources = translate(checkout)

    assert resources["Zip"]["Properties"]["Environment"] == {"Variables": {"LEVEL": {"Ref": "Level"}}}


def test_a_nested_template_is_copied_to_the_artifacts_bucket(checkout: Path) -> None:
    template, resources = translate(checkout)

    (key,) = [key for key in template.objects if key.endswith("-alarms.yaml")]
    assert resources["Alarms"]["Properties"]["TemplateURL"] == f"https://s3.amazonaws.com/artifacts/{key}"
    assert template.objects[key] == b"Resources: {}\n"


def test_code_that_changes_is_deployed_from_another_place(checkout: Path) -> None:
    # GIVEN a template whose functions are deployed
    before, _ = translate(checkout)

    # WHEN the code of one changes
    (checkout / "functions/zip/handler.py").write_text("# changed\n")
    after, _ = translate(checkout)

    # THEN its place does, and no other
    assert key(before, "Zip") != key(after, "Zip")
    assert key(before, "Image") == key(after, "Image")
    assert before.digest != after.digest


def test_the_ttl_attribute_of_a_table_is_kept_for_the_call_that_switches_it_on(checkout: Path) -> None:
    assert translate(checkout)[0].time_to_live == {"Table": "gone_at"}


def test_the_same_checkout_gives_the_same_template_and_artifacts(checkout: Path) -> None:
    assert translate(checkout)[0] == translate(checkout)[0]


def test_a_template_that_sam_refuses_is_refused_with_its_reason(checkout: Path) -> None:
    path = checkout / "template.yaml"
    path.write_text(path.read_text().replace("      Handler: functions.zip.handler.lambda_handler\n", ""))

    with pytest.raises(BadInput, match=r"SAM refuses .*Zip"):
        translate(checkout)


@pytest.mark.parametrize(
    ("text", "reason"), [("a: [", "is not YAML"), ("just words", "has no Resources"), (None, "is missing")]
)
def test_what_is_no_template_is_refused(tmp_path: Path, text: str | None, reason: str) -> None:
    path = tmp_path / "template.yaml"
    if text is not None:
        path.write_text(text)

    with pytest.raises(BadInput, match=reason):
        read_template(path)


@pytest.mark.parametrize("adaptation", [*BEFORE_SAM, *AFTER_SAM])
def test_every_adaptation_says_what_and_why(adaptation: Adaptation) -> None:
    what, _, why = (adaptation.__doc__ or "").partition("\n\n")
    assert what
    assert why.strip().startswith("Why: ")


def test_nothing_of_the_products_template_is_lost_but_libraries_and_the_demand_for_tls() -> None:
    template = read_template(ROOT / "template.yaml")

    resources = json.loads(local_template(ROOT / "template.yaml", "artifacts").body)["Resources"]

    dropped = {"VendorLayer", "ArrowLayer", "DataBucketPolicy", "QueuePolicy"}
    # A digest stands behind a layer's name.
    missing = {name for name in template["Resources"] if not any(made.startswith(name) for made in resources)}
    assert missing == dropped


def test_every_route_of_the_products_template_is_the_same_with_and_without_a_trailing_slash() -> None:
    # WHEN
    resources = json.loads(local_template(ROOT / "template.yaml", "artifacts").body)["Resources"]
    # THEN each plain route comes three times, and the default route once
    found = [item["Properties"] for item in resources.values() if item["Type"] == "AWS::ApiGatewayV2::Route"]
    routes = {route.pop("RouteKey"): route for route in found}
    plain = {key for key in routes if not key.endswith(("/", "{proxy+}", "$default"))}
    assert {"POST /predict", "GET /predict/{match_id}", "GET /results/{task_id}", "GET /health"} <= plain
    assert len(routes) == 3 * len(plain) + 1
    for key in plain:
        assert routes[key] == routes[f"{key}/"] == routes[f"{key}/{{proxy+}}"]


def test_a_parameter_that_is_asked_for_beats_the_default_and_what_suits_a_laptop(checkout: Path) -> None:
    asked = {"Level": "DEBUG", "HighMaximumConcurrency": "5"}
    parameters = json.loads(local_template(checkout / "template.yaml", "artifacts", asked).body)["Parameters"]
    assert parameters["Level"]["Default"] == "DEBUG"
    assert parameters["HighMaximumConcurrency"]["Default"] == "5"
