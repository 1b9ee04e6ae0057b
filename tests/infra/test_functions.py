"""Functions: their names, settings, roles and build."""

from __future__ import annotations

from typing import Any

import pytest

from cfn_lint_rules._rule import as_list
from matchcast import TELEMETRY_OFF
from matchcast import settings as declared
from matchcast.settings import Settings
from tests.support.template import ROOT

SETTINGS: dict[str, type[Settings]] = {
    "serve_predictions": declared.ServePredictionsSettings,
    "predict_now": declared.PredictNowSettings,
    "submit_prediction": declared.SubmitPredictionSettings,
    "track_tasks": declared.TrackTasksSettings,
    "manage_batches": declared.ManageBatchesSettings,
    "manage_webhooks": declared.ManageWebhooksSettings,
    "deliver_webhooks": declared.DeliverWebhooksSettings,
    "sweep_dead_letters": declared.SweepDeadLettersSettings,
    "run_inference": declared.RunInferenceSettings,
    "split_batch": declared.SplitBatchSettings,
    "refresh_snapshot": declared.RefreshSnapshotSettings,
}
IMAGES = {"run_inference": "run_inference", "split_batch": "run_inference", "refresh_snapshot": "refresh_snapshot"}
"""Each function that is an image, with the folder of its Dockerfile."""
POWERTOOLS = {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE", "POWERTOOLS_LOG_LEVEL"}
SDK = {"AWS_ENDPOINT_URL"}
READ = {"s3:GetObject"}
READ_PINNED = {"s3:GetObjectVersion"}
WRITE = {"s3:PutObject"}
LIST = {"DataBucket": {"s3:ListBucket"}}
SIGN = {"CursorSecret": {"secretsmanager:GetSecretValue"}}
SEND = {"sqs:SendMessage"}
BATCH_RECORDS = {f"dynamodb:{action}" for action in ("BatchGetItem", "GetItem", "PutItem", "Query", "UpdateItem")}
RECEIVE = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"}
READ_SNAPSHOT = {
    **{f"DataBucket/{keys}": READ for keys in ("snapshots/*", "models/manifest.json", "models/releases/*")},
    **LIST,
}
ACCEPT_TASKS = {
    **READ_SNAPSHOT,
    "HighQueue": SEND,
    "NormalQueue": SEND,
    "TasksTable": {"dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem"},
    "TasksTable/index/open_index": {"dynamodb:Query"},
}
CHECK_CALLBACKS = {"WebhooksTable": {"dynamodb:Query"}}
KEEP_WEBHOOKS = {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"}
GRANTS: dict[str, dict[str, set[str]]] = {
    "serve_predictions": READ_SNAPSHOT | SIGN,
    "predict_now": {name: actions for name, actions in ACCEPT_TASKS.items() if name != "NormalQueue"}
    | {"RunInferenceFunction": {"lambda:InvokeFunction"}},
    "submit_prediction": ACCEPT_TASKS | CHECK_CALLBACKS,
    "track_tasks": {
        **ACCEPT_TASKS,
        **SIGN,
        "TasksTable": ACCEPT_TASKS["TasksTable"] | {"dynamodb:UpdateItem"},
        "TasksTable/index/tenant_index": {"dynamodb:Query"},
    },
    "manage_batches": {
        **READ_SNAPSHOT,
        **SIGN,
        "BatchesQueue": SEND,
        "TasksTable": BATCH_RECORDS,
        "TasksTable/index/open_index": {"dynamodb:Query"},
        "TasksTable/index/tenant_index": {"dynamodb:Query"},
        "DataBucket/input/*": READ | WRITE,
        "DataBucket/batches/*": READ | WRITE,
        **CHECK_CALLBACKS,
    },
    "manage_webhooks": {
        "TasksTable": {"dynamodb:BatchGetItem"},
        "WebhooksTable": KEEP_WEBHOOKS | {"dynamodb:DeleteItem"},
        "WebhooksQueue": SEND,
        "WebhookSecretsKey": {"kms:Encrypt"},
    },
    "deliver_webhooks": {
        "TasksTable.StreamArn": {"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"},
        "TasksTable/stream/*": {"dynamodb:ListStreams"},
        "WebhooksTable": KEEP_WEBHOOKS | {"dynamodb:DeleteItem"},
        "WebhooksTable/index/due_index": {"dynamodb:Query"},
        "WebhooksTable/index/tenant_index": {"dynamodb:Query"},
        "WebhooksQueue": RECEIVE | SEND,
        "WebhooksDeadLetterQueue": SEND,
        "WebhookSecretsKey": {"kms:Decrypt"},
    },
    "sweep_dead_letters": {
        "HighDeadLetterQueue": {"sqs:ReceiveMessage", "sqs:ChangeMessageVisibility"},
        "NormalDeadLetterQueue": {"sqs:ReceiveMessage", "sqs:ChangeMessageVisibility"},
        "BatchesDeadLetterQueue": {"sqs:ReceiveMessage", "sqs:ChangeMessageVisibility"},
        "BatchesQueue": SEND,
        "TasksTable": {"dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:UpdateItem"},
    },
    "run_inference": {
        "HighQueue": RECEIVE | SEND,
        "NormalQueue": RECEIVE | SEND,
        "HighDeadLetterQueue": SEND,
        "NormalDeadLetterQueue": SEND,
        "BatchesQueue": SEND,
        "TasksTable": {"dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"},
        "DataBucket/models/*": READ,
        "DataBucket/snapshots/*": READ,
        "DataBucket/batches/*": READ | WRITE,
        **LIST,
    },
    "split_batch": {
        "BatchesQueue": RECEIVE | SEND,
        "NormalQueue": SEND,
        "BatchesDeadLetterQueue": SEND,
        "TasksTable": BATCH_RECORDS,
        "DataBucket/models/*": READ,
        "DataBucket/snapshots/*": READ,
        "DataBucket/input/*": READ_PINNED,
        "DataBucket/batches/*": READ | WRITE | {"s3:AbortMultipartUpload"},
        **LIST,
    },
    "refresh_snapshot": {
        "DataBucket/datasets/*": READ,
        "DataBucket/models/*": READ,
        "DataBucket/snapshots/*": READ | {"s3:PutObject"},
        "DataBucket/snapshots/*/*": {"s3:DeleteObject"},
        "DataBucket/batches/*": READ | WRITE | {"s3:AbortMultipartUpload"},
        "BatchesQueue": SEND,
        "TasksTable": BATCH_RECORDS - {"dynamodb:Query"},
        **LIST,
    },
}

each_function = pytest.mark.parametrize("name", sorted(SETTINGS))


def logical(name: str) -> str:
    """Return `ServePredictions` for `serve_predictions`."""
    return "".join(word.capitalize() for word in name.split("_"))


def environment(plain: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = plain["Resources"][f"{logical(name)}Function"]["Properties"]["Environment"]["Variables"]
    return found


def values(plain: dict[str, Any], name: str, *keys: str) -> dict[str, str]:
    """Return a function's environment: of a parameter the first of `keys` that it has, of a resource any name."""
    parameters = plain["Parameters"]
    found = {}
    for variable, value in environment(plain, name).items():
        parameter = parameters.get(value["Ref"], {}) if isinstance(value, dict) else {"Default": value}
        found[variable] = str(next((parameter[key] for key in (*keys, "Default") if key in parameter), "resource"))
    return found


def test_every_folder_of_a_function_is_deployed_under_its_own_name(plain: dict[str, Any]) -> None:
    folders = {path.parent.name for path in (ROOT / "functions").glob("*/__init__.py")}
    deployed = {name for name, item in plain["Resources"].items() if item["Type"] == "AWS::Lambda::Function"}
    assert deployed == {f"{logical(name)}Function" for name in SETTINGS}
    assert folders <= set(SETTINGS)


@each_function
def test_a_function_gets_exactly_the_settings_that_it_declares(name: str, plain: dict[str, Any]) -> None:
    expected = {field.upper() for field in SETTINGS[name].model_fields}
    assert set(environment(plain, name)) - POWERTOOLS - SDK - set(TELEMETRY_OFF) == expected


@pytest.mark.parametrize("name", sorted(IMAGES))
def test_libraries_that_would_report_to_their_makers_are_told_not_to(name: str, plain: dict[str, Any]) -> None:
    assert environment(plain, name).items() >= TELEMETRY_OFF.items()


@each_function
def test_a_function_is_named_to_powertools_as_its_folder_is(name: str, plain: dict[str, Any]) -> None:
    variables = environment(plain, name)
    assert set(variables) >= POWERTOOLS
    assert variables["POWERTOOLS_SERVICE_NAME"] == name
    assert variables["POWERTOOLS_METRICS_NAMESPACE"] == "matchcast"


@each_function
def test_the_defaults_of_template_and_code_are_the_same(
    name: str, plain: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN the environment of a stack whose parameters have their defaults
    fields = SETTINGS[name].model_fields
    for variable, value in values(plain, name).items():
        monkeypatch.setenv(variable, value)
    # WHEN the function reads it
    read = SETTINGS[name]()
    # THEN every default of the code is that of the stack too
    defaults = {key: field.default for key, field in fields.items() if not field.is_required()}
    assert {key: getattr(read, key) for key in defaults} == defaults


@pytest.mark.parametrize("bound", ["MinValue", "MaxValue"])
@each_function
def test_the_code_takes_every_value_that_the_template_allows(
    name: str, bound: str, plain: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in values(plain, name, bound).items():
        monkeypatch.setenv(variable, value)
    assert SETTINGS[name]().model_dump()


@each_function
def test_a_role_grants_what_its_function_does_and_no_more(name: str, plain: dict[str, Any]) -> None:
    role = plain["Resources"][f"{logical(name)}Role"]["Properties"]
    granted: dict[str, set[str]] = {}
    for policy in role["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            for resource in as_list(statement["Resource"]):
                granted.setdefault(target(resource), set()).update(as_list(statement["Action"]))
    logs = {f"{logical(name)}LogGroup": {"logs:CreateLogStream", "logs:PutLogEvents"}}
    assert granted == GRANTS[name] | logs


@each_function
def test_a_function_runs_in_its_own_role(name: str, plain: dict[str, Any]) -> None:
    function = plain["Resources"][f"{logical(name)}Function"]["Properties"]
    assert function["Role"] == {"Fn::GetAtt": [f"{logical(name)}Role", "Arn"]}


@each_function
def test_a_function_is_followed_by_its_role_and_log_group(name: str, template: dict[str, Any]) -> None:
    order = [key for key in template["Resources"] if key.startswith(logical(name))]
    assert order == [f"{logical(name)}Function", f"{logical(name)}Role", f"{logical(name)}LogGroup"]


@pytest.mark.parametrize("name", sorted(set(SETTINGS) - set(IMAGES)))
def test_a_zip_function_has_the_same_dotted_name_everywhere(name: str, template: dict[str, Any]) -> None:
    function = template["Resources"][f"{logical(name)}Function"]
    properties = function["Properties"]
    assert properties["CodeUri"] == f"functions/{name}/"
    assert properties["Handler"] == f"functions.{name}.handler.lambda_handler"
    assert properties["Runtime"] == "python3.13"
    assert function["Metadata"] == {"BuildProperties": {"ParentPackageMode": "auto"}}
    arrow = [{"Ref": "ArrowLayer"}] if name == "serve_predictions" else []
    assert properties["Layers"] == [{"Ref": "VendorLayer"}, *arrow, {"Ref": "CoreLayer"}]


@pytest.mark.parametrize("name", sorted(IMAGES))
def test_an_image_function_is_built_from_a_dockerfile_of_functions(name: str, template: dict[str, Any]) -> None:
    # GIVEN
    folder = IMAGES[name]
    # WHEN
    function = template["Resources"][f"{logical(name)}Function"]
    # THEN
    assert function["Properties"]["PackageType"] == "Image"
    # An image starts the handler of its folder, unless it is told otherwise.
    told = {"Command": [f"functions.{name}.handler.lambda_handler"]}
    assert function["Properties"].get("ImageConfig") == (None if folder == name else told)
    # The build makes one image of equal metadata.
    assert function["Metadata"] == {
        "Dockerfile": f"functions/{folder}/Dockerfile",
        "DockerContext": ".",
        "DockerTag": folder,
        "DockerBuildArgs": {"MODEL_RUNTIME": {"Ref": "ModelRuntime"}},
    }


def test_the_layer_of_our_own_code_has_no_build_method(template: dict[str, Any]) -> None:
    layers = {key: item for key, item in template["Resources"].items() if item["Type"].endswith("LayerVersion")}
    built = {key: item.get("Metadata", {}).get("BuildMethod") for key, item in layers.items()}
    assert built == {"CoreLayer": None, "VendorLayer": "python3.13", "ArrowLayer": "makefile"}


def test_functions_that_answer_over_http_end_before_the_api_times_out(plain: dict[str, Any]) -> None:
    for name in set(SETTINGS) - set(IMAGES) - {"deliver_webhooks", "sweep_dead_letters"}:
        assert plain["Resources"][f"{logical(name)}Function"]["Properties"]["Timeout"] < 30


def test_reserved_concurrency_is_off_unless_it_is_asked_for(plain: dict[str, Any], template: dict[str, Any]) -> None:
    reserved = plain["Resources"]["RunInferenceFunction"]["Properties"]["ReservedConcurrentExecutions"]
    assert reserved["Fn::If"] == [
        "ReservesConcurrency",
        {"Ref": "InferenceReservedConcurrency"},
        {"Ref": "AWS::NoValue"},
    ]
    assert template["Parameters"]["InferenceReservedConcurrency"]["Default"] == 0


def test_no_default_is_a_number_with_a_fraction(template: dict[str, Any]) -> None:
    # `sam local` hands a function an empty setting for such a parameter; the same figure as text arrives.
    assert [name for name, item in template["Parameters"].items() if isinstance(item["Default"], float)] == []


def test_snapshots_are_made_and_what_was_left_is_swept_on_a_schedule(plain: dict[str, Any]) -> None:
    rules = [item["Properties"] for item in plain["Resources"].values() if item["Type"] == "AWS::Events::Rule"]
    schedules = {rule["Targets"][0]["Arn"]["Fn::GetAtt"][0]: rule["ScheduleExpression"] for rule in rules}
    assert schedules == {
        "RefreshSnapshotFunction": {"Ref": "SnapshotSchedule"},
        "SweepDeadLettersFunction": "rate(5 minutes)",
        "DeliverWebhooksFunction": "rate(5 minutes)",
    }


def target(resource: Any) -> str:
    """Return `TasksTable/index/tenant_index` for the ARN of that index."""
    match resource:
        case {"Ref": str(name)}:
            return name
        case {"Fn::GetAtt": [str(name), "Arn"]}:
            return name
        case {"Fn::GetAtt": [str(name), str(attribute)]}:
            return f"{name}.{attribute}"
        case {"Fn::Sub": str(text)}:
            return text.replace("${", "").replace(".Arn}", "")
        case _:
            return str(resource)
