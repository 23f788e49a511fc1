"""What a second start of the local stack finds, and what it adds to what an older one made."""

import pytest

from infra.local.resources import _create_key, _create_table
from tests.adapters.aws_account import Aws, load_template


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
    properties = load_template()["Resources"]["DeliveriesTable"]["Properties"]
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
