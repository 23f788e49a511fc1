"""Answers of tables read plainly are those of botocore's own parser."""

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from functions.aws.clients import Clients
from tests.adapters.aws_account import Aws

pytestmark = pytest.mark.answered_by("moto")  # the engine answers behind botocore's parser

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


def answered(answer: Any) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


@pytest.fixture
def table(aws: Aws) -> str:
    name = aws.names["QuotasTable"]
    for number in ("b", "c"):
        Clients.dynamodb().put_item(TableName=name, Item=KEY | {"sk": {"S": number}} | EVERY_KIND)
    return name


@pytest.mark.parametrize(
    "ask",
    [
        lambda client, name: client.get_item(TableName=name, Key=KEY),
        lambda client, name: client.get_item(TableName=name, Key=KEY | {"sk": {"S": "none"}}),
        lambda client, name: client.batch_get_item(RequestItems={name: {"Keys": [KEY, KEY | {"sk": {"S": "c"}}]}}),
        lambda client, name: client.query(
            TableName=name, KeyConditionExpression="pk = :a", ExpressionAttributeValues={":a": {"S": "a"}}, Limit=1
        ),
        lambda client, name: client.query(
            TableName=name, KeyConditionExpression="pk = :a", ExpressionAttributeValues={":a": {"S": "none"}}
        ),
        lambda client, name: client.update_item(
            TableName=name,
            Key=KEY,
            UpdateExpression="SET more = :more",
            ExpressionAttributeValues={":more": {"B": b"\4"}},
            ReturnValues="ALL_NEW",
            ReturnConsumedCapacity="TOTAL",
        ),
        lambda client, name: client.update_item(TableName=name, Key=KEY, UpdateExpression="REMOVE more"),
    ],
)
def test_an_answer_is_that_of_botocore(table: str, ask: Any) -> None:
    ours, theirs = ask(Clients.dynamodb(), table), ask(boto3.client("dynamodb"), table)
    assert answered(ours) == answered(theirs)
    assert ours["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_an_item_comes_back_as_it_was_put(table: str) -> None:
    assert Clients.dynamodb().get_item(TableName=table, Key=KEY)["Item"] == KEY | EVERY_KIND


def test_a_refusal_brings_its_item_along_as_before(table: str) -> None:
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


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"Item": {"a": {"B": "*"}}}', b'{"Item": {"a": 1}}', b"[]"])
def test_botocore_handles_answers_that_are_not_of_a_table(table: str, body: bytes) -> None:
    def spoil(response_dict: dict[str, Any], **_: Any) -> None:
        response_dict["body"] = body

    outcomes = []
    for client in (Clients.dynamodb(), boto3.client("dynamodb")):
        client.meta.events.register_first("before-parse.dynamodb.GetItem", spoil)
        try:
            outcomes.append(answered(client.get_item(TableName=table, Key=KEY)))
        except (ResponseParserError, AttributeError, TypeError, ValueError) as error:
            outcomes.append({"failed": type(error).__name__})
        client.meta.events.unregister("before-parse.dynamodb.GetItem", spoil)
    assert outcomes[0] == outcomes[1]
