"""A second start of the local stack finds the resources of the first, and adds new ones."""

import pytest

from functions.aws.dynamodb.items import to_item
from infra.local.processes.loading import _create_key, _create_table
from tests.adapters.aws_account import Aws, load_template, with_default_capacity


@pytest.mark.answered_by("moto")  # the engine does not list keys
def test_a_key_is_made_once_and_found_again(aws: Aws) -> None:
    kms = aws.client("kms")
    before = len(kms.list_keys()["Keys"])
    first = _create_key(kms, "rustbox-local-Key", {"Description": "Seals"})
    assert _create_key(kms, "rustbox-local-Key", {"Description": "Seals"}) == first
    assert len(kms.list_keys()["Keys"]) == before + 1
    assert first["Arn"].endswith(first["Ref"])


@pytest.mark.answered_by("engine", "moto")
def test_a_table_of_an_older_start_gets_the_indexes_that_it_lacks(aws: Aws) -> None:
    dynamodb = aws.client("dynamodb")
    properties = with_default_capacity(load_template()["Resources"]["DeliveriesTable"]["Properties"])
    indexes = properties["GlobalSecondaryIndexes"]
    older = properties | {
        "GlobalSecondaryIndexes": indexes[:1],
        "AttributeDefinitions": [
            item
            for item in properties["AttributeDefinitions"]
            if item["AttributeName"] in {"pk", "sk", "due_shard", "due_at_ms"}
        ],
    }
    _create_table(dynamodb, "older", older)
    for _ in range(2):
        _create_table(dynamodb, "older", properties)
        found = dynamodb.describe_table(TableName="older")["Table"]["GlobalSecondaryIndexes"]
        assert sorted(index["IndexName"] for index in found) == sorted(index["IndexName"] for index in indexes)


@pytest.mark.answered_by("engine", "moto")
def test_an_index_that_the_template_lost_stays_usable_when_another_is_added(aws: Aws) -> None:
    dynamodb = aws.client("dynamodb")
    properties = with_default_capacity(load_template()["Resources"]["DeliveriesTable"]["Properties"])
    gone = {
        "IndexName": "gone",
        "KeySchema": [{"AttributeName": "old_key", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "KEYS_ONLY"},
    }
    first, *others = properties["GlobalSecondaryIndexes"]
    keys = {"pk", "sk", *(key["AttributeName"] for key in first["KeySchema"])}
    kinds = [kind for kind in properties["AttributeDefinitions"] if kind["AttributeName"] in keys]
    kinds.append({"AttributeName": "old_key", "AttributeType": "S"})
    older = {"GlobalSecondaryIndexes": [gone, first], "AttributeDefinitions": kinds}
    _create_table(dynamodb, "older", properties | older)
    _create_table(dynamodb, "older", properties)
    found = dynamodb.describe_table(TableName="older")["Table"]["GlobalSecondaryIndexes"]
    assert sorted(index["IndexName"] for index in found) == sorted(
        index["IndexName"] for index in (gone, first, *others)
    )
    dynamodb.put_item(TableName="older", Item=to_item({"pk": "a", "sk": "b", "old_key": "c"}))
    answer = dynamodb.query(
        TableName="older",
        IndexName="gone",
        KeyConditionExpression="old_key = :key",
        ExpressionAttributeValues=to_item({":key": "c"}),
    )
    assert answer["Items"] == [to_item({"pk": "a", "sk": "b", "old_key": "c"})]
