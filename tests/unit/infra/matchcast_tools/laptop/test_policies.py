"""The policies as the local engine gets them, and what it reports of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ministack.core import iam_evaluator

from matchcast_tools.laptop.adaptations import (
    Artifacts,
    allow_batches,
    drop_encryption_contexts,
    drop_tls_only,
    name_secrets_by_arn,
)
from matchcast_tools.laptop.denials import Denial, denials_in, report_denials
from matchcast_tools.laptop.template import local_template
from tests.support.template import ROOT, translated

NOTHING = Artifacts(root=Path(), bucket="artifacts")
TLS_ONLY = {"Effect": "Deny", "Action": "s3:*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
STS, USER = "arn:aws:sts::000000000000:assumed-role", "arn:aws:iam::000000000000:user/ann"
OTHER = {"Effect": "Deny", "Action": "s3:DeleteBucket"}


def policy_of_a_bucket(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Type": "AWS::S3::BucketPolicy", "Properties": {"PolicyDocument": {"Statement": list(statements)}}}


def test_a_policy_without_its_demand_for_tls_keeps_its_other_statements_or_goes() -> None:
    template = {"Resources": {"Both": policy_of_a_bucket(TLS_ONLY, OTHER), "One": policy_of_a_bucket(TLS_ONLY)}}

    drop_tls_only(template, NOTHING)

    assert template["Resources"] == {"Both": policy_of_a_bucket(OTHER)}


@pytest.mark.parametrize("policy", ["DataBucketPolicy", "QueuePolicy"])
@pytest.mark.parametrize(("tls", "decision"), [(False, "Deny"), (True, "ImplicitDeny")])
def test_what_a_laptop_leaves_out_denies_requests_without_tls_and_no_others(
    policy: str, tls: bool, decision: str
) -> None:
    # GIVEN a statement of the deployed template, for every resource
    [statement] = translated()["Resources"][policy]["Properties"]["PolicyDocument"]["Statement"]
    document = {"Statement": [{**statement, "Resource": "*"}]}
    # WHEN the engine's evaluator decides
    request = iam_evaluator.EvalContext(
        principal_arn=f"{STS}/a/b",
        principal_type="AssumedRole",
        principal_account="000000000000",
        action=statement["Action"].replace("*", "GetObject"),
        resource_arn="arn:aws:s3:::bucket/key",
        region="us-east-1",
        source_ip="127.0.0.1",
        secure_transport=tls,
    )
    # THEN
    assert iam_evaluator.evaluate(request, [iam_evaluator.parse_policy_document(document)]).decision == decision


def test_a_role_may_do_in_batches_what_it_may_do_one_by_one() -> None:
    # GIVEN a role with one action, and one with several
    documents: list[dict[str, Any]] = [
        {"Statement": [{"Action": "sqs:SendMessage"}]},
        {"Statement": [{"Action": ["sqs:DeleteMessage", "s3:*"]}]},
    ]
    policies = [{"PolicyDocument": document} for document in documents]
    template: dict[str, Any] = {"Resources": {"Role": {"Type": "AWS::IAM::Role", "Properties": {"Policies": policies}}}}

    # WHEN
    allow_batches(template, NOTHING)

    # THEN nothing is allowed but the batch forms of these
    assert [document["Statement"][0]["Action"] for document in documents] == [
        ["sqs:SendMessage", "sqs:SendMessageBatch"],
        ["sqs:DeleteMessage", "s3:*", "sqs:DeleteMessageBatch"],
    ]


def test_a_secret_is_named_by_its_arn_as_on_aws() -> None:
    # GIVEN
    secret, other = {"Type": "AWS::SecretsManager::Secret"}, {"Type": "X", "Properties": {"Of": {"Ref": "Secret"}}}
    name = {"Value": {"Ref": "Secret"}}
    template: dict[str, Any] = {"Resources": {"Secret": secret, "Other": other}, "Outputs": {"Name": name}}

    # WHEN
    name_secrets_by_arn(template, NOTHING)

    # THEN
    arn = {"Fn::GetAtt": ["Secret", "Id"]}
    assert template["Resources"]["Other"]["Properties"]["Of"] == arn
    assert template["Outputs"]["Name"]["Value"] == arn


def test_the_roles_of_the_laptop_are_those_of_the_template_but_for_these_forms() -> None:
    # GIVEN
    deployed = {name: item for name, item in translated()["Resources"].items() if item["Type"] == "AWS::IAM::Role"}

    # WHEN
    resources = json.loads(local_template(ROOT / "template.yaml", "artifacts").body)["Resources"]

    # THEN no statement is missing, and none is new
    assert deployed
    for name, role in deployed.items():
        for policy, local in zip(
            role["Properties"].get("Policies", []), resources[name]["Properties"].get("Policies", []), strict=True
        ):
            statements = policy["PolicyDocument"]["Statement"], local["PolicyDocument"]["Statement"]
            assert [one["Sid"] for one in statements[0]] == [one["Sid"] for one in statements[1]]
            for one, other in zip(*statements, strict=True):
                actions = [one["Action"]] if isinstance(one["Action"], str) else one["Action"]
                assert [action for action in other["Action"] if not action.endswith("Batch")] == actions


@pytest.mark.parametrize(
    ("decision", "lines"),
    [
        (
            iam_evaluator.EvalResult("ImplicitDeny", "arn:aws:sts::0:assumed-role/run/name"),
            [Denial("run", "s3:Get", "x")],
        ),
        (
            iam_evaluator.EvalResult("Deny", "arn:aws:iam::0:user/ann"),
            [Denial("arn:aws:iam::0:user/ann", "s3:Get", "x")],
        ),
        (iam_evaluator.AuthError("Expired", "too late"), []),
        (None, []),
    ],
)
def test_a_denial_is_written_to_the_log_and_decides_as_before(
    decision: Any, lines: list[Denial], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN an engine that decides so
    monkeypatch.setattr(iam_evaluator, "enforce", lambda *_, **__: decision)
    report_denials()
    # WHEN
    decided = iam_evaluator.enforce("key", "s3:Get", "s3", "us-east-1", resource_arn="x")
    # THEN
    assert decided is decision
    assert denials_in(capsys.readouterr().err) == lines


def test_conditions_on_encryption_contexts_alone_are_left_out() -> None:
    # GIVEN
    keys = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["tenant#*"]}}
    context = {"StringLike": {"kms:EncryptionContext:tenant": "?*"}}
    statements = [{"Action": "kms:Decrypt", "Condition": context}, {"Action": "dynamodb:Query", "Condition": keys}]
    policies = [{"PolicyDocument": {"Statement": statements}}]
    template = {"Resources": {"Role": {"Type": "AWS::IAM::Role", "Properties": {"Policies": policies}}}}
    # WHEN
    drop_encryption_contexts(template, Artifacts(Path(), "bucket"))
    # THEN
    assert statements == [{"Action": "kms:Decrypt"}, {"Action": "dynamodb:Query", "Condition": keys}]
