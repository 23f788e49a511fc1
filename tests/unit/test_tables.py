"""The tables of a stage: capacity, protection, partitions of due rows, and putting back lost rows."""

import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from infra.deploy import account_checks, deploy, fleet, importing
from infra.deploy.importing import restore
from infra.deploy.stack import Retained
from infra.deploy.target import DeployError, Progress, Target
from infra.sam_template import read, translate
from tests.commands import run_to_end

ROOT = Path(__file__).parents[2]
TARGET = Target("dev", "us-east-1", None)
NAME = "rustbox-dev-ChecksTable-1"


@pytest.fixture(scope="module")
def resources() -> dict[str, Any]:
    found: dict[str, Any] = translate(read(ROOT / "template.yaml"), {}, "s3://code/functions.zip")["Resources"]
    return found


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-east-1")
        client.create_table(
            TableName=NAME,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        )
        yield client


@pytest.fixture
def _stack(monkeypatch: pytest.MonkeyPatch) -> None:
    """CloudFormation knows one table. No stack is created for it."""
    stack = type("Stack", (), {"describe": lambda _: {"StackName": "x"}, "resources": lambda _: {"ChecksTable": NAME}})
    monkeypatch.setattr(importing, "Stack", lambda *_: stack())


def _put(dynamodb: Any, pk: str, value: str, **more: Any) -> None:
    dynamodb.put_item(TableName=NAME, Item={"pk": {"S": pk}, "sk": {"S": "x"}, "value": {"S": value}, **more})


@pytest.mark.usefixtures("_stack")
def test_lost_rows_come_back_and_newer_ones_stay(dynamodb: Any, capsys: pytest.CaptureFixture[str]) -> None:
    _put(dynamodb, "lost", "old")
    _put(dynamodb, "changed", "old")
    _put(dynamodb, "expired", "old", ttl={"N": str(int(time.time()) - 60)})
    at = datetime.now(UTC).isoformat()
    dynamodb.restore_table_to_point_in_time(SourceTableName=NAME, TargetTableName="drill", RestoreDateTime=at)
    restore(TARGET, "ChecksTable", at, Progress())
    assert "0 missing rows written" in capsys.readouterr().out  # nothing was lost: the copy is that of now
    for pk in ("lost", "expired"):
        dynamodb.delete_item(TableName=NAME, Key={"pk": {"S": pk}, "sk": {"S": "x"}})
    _put(dynamodb, "changed", "new")
    restore(TARGET, "ChecksTable", at, Progress())  # the copy of that time exists
    rows = {item["pk"]["S"]: item["value"]["S"] for item in dynamodb.scan(TableName=NAME)["Items"]}
    assert rows == {"lost": "old", "changed": "new"}
    said = capsys.readouterr().out
    assert "1 missing rows written" in said
    assert f"aws dynamodb delete-table --table-name {NAME}-at-" in said


@pytest.mark.usefixtures("_stack", "dynamodb")
@pytest.mark.parametrize(
    ("table", "at", "problem"),
    [
        ("ChecksTable", "yesterday", "must be RFC 3339"),
        ("ChecksTable", "2026-11-30T12:00:00", "with a zone"),
        ("NoTable", "2026-11-30T12:00:00Z", "has no table NoTable"),
    ],
)
def test_a_restore_names_what_is_wrong_with_its_arguments(table: str, at: str, problem: str) -> None:
    with pytest.raises(DeployError, match=problem):
        restore(TARGET, table, at, Progress())


def test_a_protected_table_stops_the_deletion_before_anything_is_deleted(
    dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    dynamodb.update_table(TableName=NAME, DeletionProtectionEnabled=True)
    kept = [Retained("ChecksTable", "AWS::DynamoDB::Table", NAME)]
    monkeypatch.setattr(deploy, "retained", lambda _: kept)
    deleted: list[str] = []
    stack = type("Stack", (), {"describe": lambda _: {}, "resources": lambda _: {}, "delete": deleted.append})
    monkeypatch.setattr(deploy, "Stack", lambda *_: stack())
    monkeypatch.setattr(fleet, "delete", lambda *_: deleted.append("fleet"))
    with pytest.raises(DeployError, match="ChecksTable cannot be deleted: deploy with DeletionProtection=false"):
        deploy.undeploy(TARGET, Progress(), delete_data=True)
    assert deleted == []


def test_tables_with_data_are_protected_by_parameter(resources: dict[str, Any]) -> None:
    tables = {name: item for name, item in resources.items() if item["Type"] == "AWS::DynamoDB::Table"}
    protected = {name for name, item in tables.items() if "DeletionProtectionEnabled" in item["Properties"]}
    assert protected == {name for name, item in tables.items() if item["DeletionPolicy"] == "Retain"}


def test_provisioned_tables_and_indexes_scale_by_reads_and_writes(resources: dict[str, Any]) -> None:
    expected = set()
    for name, item in resources.items():
        properties = item.get("Properties", {})
        if item["Type"] == "AWS::DynamoDB::Table" and "ProvisionedThroughput" in properties:
            assert properties["BillingMode"]["Fn::If"] == ["HasProvisionedCapacity", "PROVISIONED", "PAY_PER_REQUEST"]
            places = [(f"table/${{{name}}}", "table")]
            for index in properties.get("GlobalSecondaryIndexes", []):
                assert index["ProvisionedThroughput"] == properties["ProvisionedThroughput"]
                places.append((f"table/${{{name}}}/index/{index['IndexName']}", "index"))
            expected |= {
                (place, f"dynamodb:{kind}:{way}CapacityUnits") for place, kind in places for way in ("Read", "Write")
            }
    targets = {
        n: item for n, item in resources.items() if item["Type"] == "AWS::ApplicationAutoScaling::ScalableTarget"
    }
    scaled = {
        (i["Properties"]["ResourceId"]["Fn::Sub"], i["Properties"]["ScalableDimension"]) for i in targets.values()
    }
    assert scaled == expected
    assert len(scaled) > 10
    policies = [i for i in resources.values() if i["Type"] == "AWS::ApplicationAutoScaling::ScalingPolicy"]
    assert sorted(policy["Properties"]["ScalingTargetId"]["Ref"] for policy in policies) == sorted(targets)
    assert {item["Condition"] for item in (*targets.values(), *policies)} == {"HasProvisionedCapacity"}


def test_partitions_of_due_rows_can_only_grow() -> None:
    account_checks.check_due_shards({}, {"DueShards": "64"})
    account_checks.check_due_shards({"DueShards": "16"}, {"DueShards": "64"})
    for parameters in ({"DueShards": "32"}, {}):
        with pytest.raises(DeployError, match="DueShards is 64 and can only grow"):
            account_checks.check_due_shards({"DueShards": "64"}, parameters)


@pytest.mark.parametrize("count", [16, 32, 64, 128, 256])
def test_rows_spread_over_all_partitions(count: int) -> None:
    code = (
        "from functions.aws.dynamodb.table import DUE_SHARDS, due_shard\n"
        "found = {due_shard('0' * 34 + f'{n:02x}') for n in range(256)}\n"
        "print(found == set(DUE_SHARDS), len(found))"
    )
    done = run_to_end([sys.executable, "-c", code], env={"DUE_SHARDS": str(count)}, check=True)
    assert done.stdout == f"True {count}\n"
    assert count in read(ROOT / "template.yaml")["Parameters"]["DueShards"]["AllowedValues"]
