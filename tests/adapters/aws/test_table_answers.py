"""Tables return all kinds of values as they were put."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from functions.aws.clients import Clients
from tests.adapters.aws_account import Aws

pytestmark = pytest.mark.answered_by("moto")

KEY = {"pk": {"S": "a"}, "sk": {"S": "b"}}
EVERY_KIND: dict[str, Any] = {
    "text": {"S": "\u00e9 B \U0001f600"},
    "B": {"S": "an attribute with the name of a kind"},
    "empty": {"S": ""},
    "number": {"N": "1.50"},
    "bytes": {"B": b"\0\xff"},
    "nothing": {"B": b""},
    "truth": {"BOOL": False},
    "null": {"NULL": True},
    "texts": {"SS": ["a", "b"]},
    "numbers": {"NS": ["1"]},
    "many_bytes": {"BS": [b"\xff", b"a"]},
    "list": {"L": [{"B": b"\1"}, {"M": {"B": {"B": b"\2"}, "L": {"L": []}}}, {"S": "Zg=="}]},
    "map": {"M": {"S": {"S": "Zg=="}, "b": {"BS": [b"\3"]}}},
}


@pytest.fixture
def table(aws: Aws) -> str:
    name = aws.names["QuotasTable"]
    for number in ("b", "c"):
        Clients.dynamodb().put_item(TableName=name, Item=KEY | {"sk": {"S": number}} | EVERY_KIND)
    return name


def test_an_item_comes_back_as_it_was_put(table: str) -> None:
    assert Clients.dynamodb().get_item(TableName=table, Key=KEY)["Item"] == KEY | EVERY_KIND


def test_a_refusal_brings_its_item_along(table: str) -> None:
    with pytest.raises(ClientError) as caught:
        Clients.dynamodb().update_item(
            TableName=table,
            Key=KEY,
            UpdateExpression="REMOVE more",
            ConditionExpression="attribute_not_exists(pk)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    refusal: Any = caught.value.response
    assert refusal["Error"]["Code"] == "ConditionalCheckFailedException"
    assert refusal["Item"]["bytes"] == {"B": b"\0\xff"}
