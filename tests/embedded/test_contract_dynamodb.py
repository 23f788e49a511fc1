"""DynamoDB as this project uses it, on the engine, moto and ministack."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.embedded.backend import Backend, only, plain

KEY = {"pk": {"S": "a"}, "sk": {"S": "1"}}


@pytest.fixture
def client(backend: Backend) -> Any:
    return backend.client("dynamodb")


@pytest.fixture
def table(backend: Backend) -> str:
    return backend.create_table()


def put(client: Any, table: str, **values: Any) -> None:
    client.put_item(TableName=table, Item={**KEY, **values})


def read(client: Any, table: str) -> Any:
    return client.get_item(TableName=table, Key=KEY, ConsistentRead=True).get("Item")


def update(client: Any, table: str, expression: str, **more: Any) -> Any:
    return plain(client.update_item(TableName=table, Key=KEY, UpdateExpression=expression, **more))


def test_a_refused_condition_changes_nothing_and_shows_the_item(client: Any, table: str) -> None:
    put(client, table, n={"N": "1"})
    with pytest.raises(client.exceptions.ConditionalCheckFailedException) as refused:
        client.put_item(
            TableName=table,
            Item={**KEY, "n": {"N": "2"}},
            ConditionExpression="attribute_not_exists(pk)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    assert refused.value.response["Error"]["Code"] == "ConditionalCheckFailedException"
    assert refused.value.response["Item"] == {**KEY, "n": {"N": "1"}}
    assert read(client, table) == {**KEY, "n": {"N": "1"}}


def test_an_item_of_every_type_comes_back_as_it_was_written(client: Any, table: str) -> None:
    values: dict[str, Any] = {
        "s": {"S": "text \u00e9 \U0001f600 \0"},
        "n": {"N": "12345678901234567890123456789012345678"},
        "b": {"B": b"\0\xff"},
        "t": {"BOOL": True},
        "z": {"NULL": True},
        "m": {"M": {"l": {"L": [{"N": "-1.5"}, {"B": b"x"}]}, "empty": {"M": {}}}},
        "ss": {"SS": ["a", "b"]},
        "bs": {"BS": [b"\1", b"\2"]},
    }
    put(client, table, **values)
    assert read(client, table) == {**KEY, **values}


def test_all_clauses_of_an_update_see_the_old_item(client: Any, table: str) -> None:
    put(client, table, a={"N": "1"}, b={"N": "10"}, gone={"S": "x"}, tags={"SS": ["p", "q"]})
    answer = update(
        client,
        table,
        "SET a = b + :one, b = a - :one, c = if_not_exists(c, :zero), #ttl = :one "
        "REMOVE gone ADD n :two DELETE tags :p",
        ExpressionAttributeNames={"#ttl": "ttl"},
        ExpressionAttributeValues={":one": {"N": "1"}, ":zero": {"N": "0"}, ":two": {"N": "2"}, ":p": {"SS": ["p"]}},
        ReturnValues="ALL_NEW",
    )
    expected = {
        **KEY,
        "a": {"N": "11"},
        "b": {"N": "0"},
        "c": {"N": "0"},
        "ttl": {"N": "1"},
        "n": {"N": "2"},
        "tags": {"SS": ["q"]},
    }
    assert answer == {"Attributes": expected}
    assert read(client, table) == expected


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        ("ALL_OLD", {**KEY, "n": {"N": "1"}, "other": {"S": "x"}}),
        ("ALL_NEW", {**KEY, "n": {"N": "2"}, "other": {"S": "x"}}),
    ],
)
def test_an_update_returns_the_requested_values(client: Any, table: str, wanted: str, shown: dict[str, Any]) -> None:
    put(client, table, n={"N": "1"}, other={"S": "x"})
    values = {":one": {"N": "1"}}
    answer = update(client, table, "SET n = n + :one", ExpressionAttributeValues=values, ReturnValues=wanted)
    assert answer == {"Attributes": shown}


def test_an_update_creates_the_item(client: Any, table: str) -> None:
    assert update(client, table, "SET n = :n", ExpressionAttributeValues={":n": {"N": "1"}}) == {}
    assert read(client, table) == {**KEY, "n": {"N": "1"}}


def test_sets_gain_and_lose_members_and_end_with_the_last(client: Any, table: str) -> None:
    one, two = {":e": {"SS": ["x"]}}, {":e": {"SS": ["x", "y"]}}
    update(client, table, "ADD held :e", ExpressionAttributeValues=one)
    update(client, table, "ADD held :e", ExpressionAttributeValues=two)
    assert sorted(read(client, table)["held"]["SS"]) == ["x", "y"]
    update(client, table, "DELETE held :e", ExpressionAttributeValues=two)
    assert read(client, table) == KEY
    update(client, table, "DELETE held :e", ExpressionAttributeValues=two)
    assert read(client, table) == KEY


CONDITIONS = pytest.mark.parametrize(
    ("condition", "is_met"),
    [
        ("attribute_exists(n) AND NOT attribute_exists(absent)", True),
        ("n = :two OR n = :one", True),
        ("NOT (n = :one OR n = :two)", False),
        ("n <> :one", False),
        ("absent <> :one", True),
        ("absent = :one", False),
        ("absent < :one", False),
        ("n < :two AND n <= :one AND n > :zero AND n >= :one", True),
        ("n IN (:two, :one)", True),
        ("absent IN (:two, :one)", False),
        ("size(tags) < :two", False),
        ("size(tags) = :two", True),
        ("contains(tags, :p)", True),
        ("contains(tags, :one)", False),
        ("NOT contains(absent, :p)", True),
        ("contains(word, :p)", True),
        ("begins_with(word, :p)", False),
        ("begins_with(word, :s)", True),
        ("flag = :true", True),
        ("quotas = :quotas", True),
        ("quotas.a = :one AND quotas.b <> :one", True),
        ("quotas.absent = :one", False),
        ("attribute_not_exists(quotas.a.b) AND attribute_exists(quotas.a)", True),
        ("word.a = :one", False),
        ("word = :one", False),
    ],
)


@CONDITIONS
def test_a_write_is_refused_unless_its_condition_holds(backend: Backend, condition: str, *, is_met: bool) -> None:
    check(backend, condition, is_met=is_met)


@only("engine", "ministack")
@pytest.mark.parametrize("condition", ["size(absent) < :two", "n < :p"])
def test_a_condition_over_an_absent_or_other_kind_of_value_does_not_hold(backend: Backend, condition: str) -> None:
    check(backend, condition, is_met=False)


def check(backend: Backend, condition: str, *, is_met: bool) -> None:
    client, table = backend.client("dynamodb"), backend.create_table()
    quotas = {"M": {"a": {"N": "1"}, "b": {"L": [{"S": "x"}]}}}
    put(client, table, n={"N": "1"}, tags={"SS": ["p", "q"]}, word={"S": "sip"}, flag={"BOOL": True}, quotas=quotas)
    known: dict[str, Any] = {
        ":zero": {"N": "0"},
        ":one": {"N": "1.0"} if backend.name == "engine" else {"N": "1"},
        ":two": {"N": "2"},
        ":p": {"S": "p"},
        ":s": {"S": "s"},
        ":true": {"BOOL": True},
        ":quotas": quotas,
    }
    values = {name: value for name, value in known.items() if name in condition}
    request: dict[str, Any] = {"TableName": table, "Key": KEY, "ConditionExpression": condition}
    if values:
        request["ExpressionAttributeValues"] = values
    if is_met:
        client.delete_item(**request)
        assert read(client, table) is None
    else:
        with pytest.raises(client.exceptions.ConditionalCheckFailedException):
            client.delete_item(**request)
        assert read(client, table) is not None


def test_a_transaction_is_all_or_nothing_with_reasons_in_order(client: Any, table: str) -> None:
    put(client, table, n={"N": "1"})
    other = {"pk": {"S": "b"}, "sk": {"S": "1"}}
    items: list[Any] = [
        {"Put": {"TableName": table, "Item": other, "ConditionExpression": "attribute_not_exists(pk)"}},
        {
            "Update": {
                "TableName": table,
                "Key": KEY,
                "UpdateExpression": "SET n = :n",
                "ConditionExpression": "n = :n",
                "ExpressionAttributeValues": {":n": {"N": "2"}},
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        },
        {
            "ConditionCheck": {
                "TableName": table,
                "Key": {"pk": {"S": "c"}, "sk": {"S": "1"}},
                "ConditionExpression": "attribute_exists(pk)",
            }
        },
    ]
    with pytest.raises(client.exceptions.TransactionCanceledException) as cancelled:
        client.transact_write_items(TransactItems=items)
    reasons = cancelled.value.response["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == ["None", "ConditionalCheckFailed", "ConditionalCheckFailed"]
    assert reasons[1]["Item"] == {**KEY, "n": {"N": "1"}}
    assert "Item" not in reasons[2]
    assert read(client, table) == {**KEY, "n": {"N": "1"}}
    assert "Item" not in client.get_item(TableName=table, Key=other)
    delete = {"Delete": {"TableName": table, "Key": KEY, "ConditionExpression": "attribute_exists(pk)"}}
    client.transact_write_items(TransactItems=[items[0], delete])
    assert read(client, table) is None
    assert client.get_item(TableName=table, Key=other)["Item"] == other


def test_an_index_is_read_in_order_and_in_pages(client: Any, table: str) -> None:
    due = [9, 100, 10, -1, 2]
    for number, at in enumerate(due):
        item = {"pk": {"S": "a"}, "sk": {"S": str(number)}, "shard": {"S": "0"}, "due": {"N": str(at)}, "x": {"S": "-"}}
        client.put_item(TableName=table, Item=item)
    client.put_item(TableName=table, Item={"pk": {"S": "a"}, "sk": {"S": "none"}, "shard": {"S": "0"}})
    request: dict[str, Any] = {
        "TableName": table,
        "IndexName": "due",
        "KeyConditionExpression": "#shard = :s AND due <= :n",
        "ExpressionAttributeNames": {"#shard": "shard"},
        "ExpressionAttributeValues": {":s": {"S": "0"}, ":n": {"N": "10"}},
        "Limit": 2,
    }
    for forward, expected in ((True, [-1, 2, 9, 10]), (False, [10, 9, 2, -1])):
        pages = client.get_paginator("query").paginate(**request, ScanIndexForward=forward)
        found = [item for page in pages for item in page["Items"]]
        assert [int(item["due"]["N"]) for item in found] == expected
        assert all(item.keys() == {"pk", "sk", "shard", "due"} for item in found)
    client.update_item(TableName=table, Key={"pk": {"S": "a"}, "sk": {"S": "3"}}, UpdateExpression="REMOVE due")
    assert [int(item["due"]["N"]) for item in client.query(**request)["Items"]] == [2, 9]


def test_a_partition_is_read_by_prefix_filter_and_count(client: Any, table: str) -> None:
    for sk in ("A#1", "B#1", "B#2", "B#3", "C"):
        client.put_item(TableName=table, Item={"pk": {"S": "p"}, "sk": {"S": sk}, "odd": {"BOOL": sk[-1] in "13"}})
    request = {
        "TableName": table,
        "KeyConditionExpression": "pk = :pk AND begins_with(sk, :prefix)",
        "ExpressionAttributeValues": {":pk": {"S": "p"}, ":prefix": {"S": "B#"}, ":t": {"BOOL": True}},
        "FilterExpression": "odd = :t",
    }
    answer = client.query(**request, ConsistentRead=True, ScanIndexForward=False)
    assert [item["sk"]["S"] for item in answer["Items"]] == ["B#3", "B#1"]
    assert (answer["Count"], answer["ScannedCount"]) == (2, 3)
    counted = client.query(**request, Select="COUNT")
    assert (counted["Count"], counted["ScannedCount"], "Items" in counted) == (2, 3, False)
    page = client.query(**request, Limit=2)
    assert [item["sk"]["S"] for item in page["Items"]] == ["B#1"]
    assert page["LastEvaluatedKey"] == {"pk": {"S": "p"}, "sk": {"S": "B#2"}}


def test_a_batch_reads_the_items_that_are_there(client: Any, table: str) -> None:
    put(client, table)
    keys = [KEY, {"pk": {"S": "b"}, "sk": {"S": "1"}}]
    answer = client.batch_get_item(RequestItems={table: {"Keys": keys, "ConsistentRead": True}})
    assert (answer["Responses"], answer["UnprocessedKeys"]) == ({table: [KEY]}, {})


def test_a_projection_shows_the_named_attributes(client: Any, table: str) -> None:
    put(client, table, a={"S": "1"}, b={"S": "2"})
    answer = client.get_item(TableName=table, Key=KEY, ProjectionExpression="a")
    assert answer["Item"] == {"a": {"S": "1"}}
    shown = {"ProjectionExpression": "pk, #b", "ExpressionAttributeNames": {"#b": "b"}}
    batch = client.batch_get_item(RequestItems={table: {"Keys": [KEY], "ConsistentRead": True, **shown}})
    assert batch["Responses"][table] == [{"pk": {"S": "a"}, "b": {"S": "2"}}]


@pytest.mark.parametrize(
    "change",
    [
        {"UpdateExpression": "SET n = absent"},
        {"UpdateExpression": "SET pk = :n", "ExpressionAttributeValues": {":n": {"S": "z"}}},
        {"UpdateExpression": "ADD word :n", "ExpressionAttributeValues": {":n": {"N": "1"}}},
        {"UpdateExpression": "SET a = :n", "ExpressionAttributeValues": {":n": {"S": "1"}, ":unused": {"S": "1"}}},
        {"UpdateExpression": "SET due = :n", "ExpressionAttributeValues": {":n": {"S": "1"}}},
    ],
)
def test_a_wrong_update_is_refused_and_changes_nothing(client: Any, table: str, change: dict[str, Any]) -> None:
    refuse(client, table, change)


@only("engine", "moto")
@pytest.mark.parametrize(
    "change",
    [
        {"UpdateExpression": "SET word = word + :n", "ExpressionAttributeValues": {":n": {"N": "1"}}},
        {"UpdateExpression": "SET a = :n, a = :n", "ExpressionAttributeValues": {":n": {"S": "1"}}},
        {"UpdateExpression": "SET a :n", "ExpressionAttributeValues": {":n": {"S": "1"}}},
    ],
)
def test_an_update_that_ministack_takes_is_refused(client: Any, table: str, change: dict[str, Any]) -> None:
    refuse(client, table, change)


def refuse(client: Any, table: str, change: dict[str, Any]) -> None:
    put(client, table, word={"S": "x"}, shard={"S": "0"})
    with pytest.raises(ClientError) as refused:
        client.update_item(TableName=table, Key=KEY, **change)
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert read(client, table) == {**KEY, "word": {"S": "x"}, "shard": {"S": "0"}}


def test_a_table_that_is_not_there_is_named(client: Any) -> None:
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_item(TableName="none", Key=KEY)


@only("engine")
@pytest.mark.parametrize("letter", ["x", "€", "𝄞"])
@pytest.mark.parametrize(("name", "most_bytes"), [("pk", 2048), ("sk", 1024)])
def test_a_key_has_at_most_2048_or_1024_bytes(client: Any, table: str, name: str, most_bytes: int, letter: str) -> None:
    letters, rest = divmod(most_bytes, len(letter.encode()))
    text = letter * letters + "x" * rest
    longest, longer = KEY | {name: {"S": text}}, KEY | {name: {"S": text + "x"}}
    put(client, table, **longest)
    assert client.get_item(TableName=table, Key=longest)["Item"] == longest
    for call in (
        lambda: put(client, table, **longer),
        lambda: client.get_item(TableName=table, Key=longer),
        lambda: client.delete_item(TableName=table, Key=longer),
    ):
        with pytest.raises(ClientError) as refused:
            call()
        assert refused.value.response["Error"]["Code"] == "ValidationException"


@only("engine", "ministack")
@pytest.mark.parametrize("letter", ["x", "€", "𝄞"])
def test_an_item_has_at_most_400_kb(client: Any, table: str, letter: str) -> None:
    letters, rest = divmod(400 * 1024 - len("pkask1text"), len(letter.encode()))
    text = letter * letters + "x" * rest
    put(client, table, text={"S": text})
    with pytest.raises(ClientError) as refused:
        put(client, table, text={"S": text + "x"})
    assert refused.value.response["Error"]["Code"] == "ValidationException"
