"""The template of a release: what `sam deploy` and `aws cloudformation deploy` take as it is, and the rights for it."""

import json
import os
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import lint

from functions import VERSION
from infra import release
from infra.deploy.building import ARCHITECTURES
from infra.sam_template import read
from tests.commands import run_to_end

ROOT = Path(__file__).parents[2]
SERVICES = {"ApiGatewayV2": "apigateway", "ApplicationAutoScaling": "application-autoscaling"}


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    return release.released_template()


def test_it_is_plain_cloudformation(template: dict[str, Any]) -> None:
    assert "Transform" not in template
    assert not [item for item in template["Resources"].values() if "Serverless" in item["Type"]]
    assert len(json.dumps(template)) < 1_000_000  # CloudFormation's limit for a template in a bucket
    assert "arn:aws:" not in json.dumps(template)


@pytest.mark.whole  # the stage `lint` has the template that it is made of
def test_cfn_lint_finds_nothing(template: dict[str, Any]) -> None:
    assert [str(match) for match in lint(json.dumps(template))] == []


def test_functions_take_the_zip_of_their_cpu_from_the_users_bucket(template: dict[str, Any]) -> None:
    codes = [i["Properties"]["Code"] for i in template["Resources"].values() if i["Type"] == "AWS::Lambda::Function"]
    key = f"${{CodePrefix}}rustbox-functions-{VERSION}-${{Architecture}}.zip"
    assert codes == [{"S3Bucket": {"Ref": "CodeBucket"}, "S3Key": {"Fn::Sub": key}}] * 15
    assert template["Parameters"]["Architecture"]["AllowedValues"] == list(ARCHITECTURES)


def test_its_parameters_are_those_of_the_checkout_with_their_defaults(template: dict[str, Any]) -> None:
    own = {name: template["Parameters"][name] for name in template["Parameters"].keys() - {"CodeBucket", "CodePrefix"}}
    assert own == read(ROOT / "template.yaml")["Parameters"]
    assert "Default" not in template["Parameters"]["CodeBucket"]


def test_every_role_has_the_boundary(template: dict[str, Any]) -> None:
    roles = [item["Properties"] for item in template["Resources"].values() if item["Type"] == "AWS::IAM::Role"]
    assert len(roles) == 18
    boundary = {"Fn::If": ["HasPermissionsBoundary", {"Ref": "PermissionsBoundaryArn"}, {"Ref": "AWS::NoValue"}]}
    assert [role.get("PermissionsBoundary") for role in roles] == [boundary] * len(roles)


def test_the_deployers_policy_covers_every_service_and_no_role_of_others(template: dict[str, Any]) -> None:
    policy = json.loads((ROOT / "infra" / "deployer_policy.json").read_text())
    actions = {action for statement in policy["Statement"] for action in statement["Action"]}
    for resource in template["Resources"].values():
        name = resource["Type"].split("::")[1]
        service = SERVICES.get(name, name.lower())
        assert [action for action in actions if fnmatchcase(f"{service}:", action.split(":")[0] + ":")], service
    of_roles = [item for item in policy["Statement"] if any(one.startswith("iam:") for one in item["Action"])]
    assert len(of_roles) == 3
    for statement in of_roles:
        assert not {"*", "iam:*"} & {*statement["Action"], *statement["Resource"]}
        assert all("/rustbox-" in place or "aws-service-role" in place for place in statement["Resource"])


def test_the_deployer_uses_a_key_of_the_customer_through_tables_and_functions_only() -> None:
    policy = json.loads((ROOT / "infra" / "deployer_policy.json").read_text())
    (statement,) = (item for item in policy["Statement"] if item["Sid"] == "KeyOfTheData")
    # DynamoDB and Lambda make a grant in the deployer's name.
    assert {"kms:CreateGrant", "kms:DescribeKey", "kms:Encrypt", "kms:Decrypt"} <= {*statement["Action"]}
    assert statement["Condition"] == {
        "StringLike": {"kms:ViaService": ["dynamodb.*.amazonaws.com", "lambda.*.amazonaws.com"]}
    }


def test_sam_build_says_what_to_do_and_makes_nothing(tmp_path: Path) -> None:
    for name in ("samconfig.toml", "template.yaml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    done = run_to_end(
        [Path(sys.executable).with_name("sam"), "build"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "SAM_CLI_TELEMETRY": "0"},
    )
    assert done.returncode != 0
    assert "sam build is not needed: run make zip, then sam deploy" in done.stdout + done.stderr
    assert not (tmp_path / ".aws-sam" / "build").exists()
