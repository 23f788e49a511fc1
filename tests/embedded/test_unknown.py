"""The engine answers unknown operations and parameters with an error that names them."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.embedded.backend import Backend

KEY = {"pk": {"S": "a"}, "sk": {"S": "1"}}


@pytest.mark.parametrize(
    ("service", "operation", "request_", "named"),
    [
        ("sqs", "purge_queue", {"QueueUrl": "x"}, "PurgeQueue"),
        (
            "sqs",
            "send_message",
            {"QueueUrl": "x", "MessageBody": "x", "MessageSystemAttributes": {}},
            "MessageSystemAttributes",
        ),
        ("sqs", "create_queue", {"QueueName": "x.fifo", "Attributes": {"FifoQueue": "true"}}, "FifoQueue"),
        ("dynamodb", "query", {"TableName": "x", "KeyConditions": {}}, "KeyConditions"),
        ("s3", "get_object_acl", {"Bucket": "b", "Key": "k"}, "GetObjectAcl"),
        ("s3", "put_object", {"Bucket": "b", "Key": "k", "ACL": "private"}, "ACL"),
        ("events", "list_rules", {"EventBusName": "x"}, "ListRules"),
        ("events", "put_rule", {"Name": "x", "EventBusName": "x", "ScheduleExpression": "rate(1 hour)"}, "ScheduleExp"),
        ("events", "put_rule", {"Name": "x", "EventBusName": "x", "EventPattern": "{}"}, "event pattern"),
        (
            *("events", "put_rule"),
            {"Name": "x", "EventBusName": "x", "EventPattern": '{"detail-type": ["a"], "source": ["b"]}'},
            "event pattern",
        ),
        (
            *("events", "put_rule"),
            {"Name": "x", "EventBusName": "x", "EventPattern": '{"detail-type": [{"prefix": "a"}]}'},
            "event pattern",
        ),
        ("kms", "sign", {"KeyId": "x", "Message": b"x", "SigningAlgorithm": "ECDSA_SHA_256"}, "Sign"),
        ("kms", "generate_data_key", {"KeyId": "x", "KeySpec": "AES_256"}, "GenerateDataKey"),
        ("ssm", "get_parameters", {"Names": ["x"]}, "GetParameters"),
        ("sts", "get_caller_identity", {}, "GetCallerIdentity"),
    ],
)
def test_an_operation_or_a_parameter_is_named(
    aws: Backend, service: str, operation: str, request_: dict[str, Any], named: str
) -> None:
    with pytest.raises(ClientError, match=f"the embedded engine does not know .*{named}") as refused:
        getattr(aws.client(service), operation)(**request_)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


@pytest.mark.parametrize(
    ("target", "named"),
    [
        ({"Id": "x", "Arn": "arn:aws:lambda:us-east-1:000000000000:function:f"}, "no queue"),
        ({"Id": "x", "Arn": "arn:aws:sqs:us-east-1:000000000000:q", "InputPath": "$"}, "InputPath"),
    ],
)
def test_a_target_of_a_rule_is_named(aws: Backend, target: dict[str, str], named: str) -> None:
    events = aws.client("events")
    events.create_event_bus(Name="bus")
    events.put_rule(Name="rule", EventBusName="bus", EventPattern='{"detail-type": ["a"]}')
    with pytest.raises(ClientError, match=f"does not know .*{named}"):
        events.put_targets(Rule="rule", EventBusName="bus", Targets=[target])


@pytest.mark.parametrize(
    ("expression", "named"),
    [
        ("SET a = list_append(a, :x)", "list_append"),
        ("SET a.b = :x", "parts of an attribute: a"),
        ("REMOVE a[0]", "parts of an attribute: a"),
        ("SET a = b[0]", "paths into lists: b"),
    ],
)
def test_an_expression_is_named(aws: Backend, expression: str, named: str) -> None:
    values: dict[str, Any] = {"ExpressionAttributeValues": {":x": {"L": []}}} if ":x" in expression else {}
    with pytest.raises(ClientError, match=f"does not know .*{named}"):
        aws.client("dynamodb").update_item(TableName=aws.create_table(), Key=KEY, UpdateExpression=expression, **values)


def test_a_function_of_conditions_is_named(aws: Backend) -> None:
    with pytest.raises(ClientError, match="does not know the function attribute_type"):
        aws.client("dynamodb").delete_item(
            TableName=aws.create_table(),
            Key=KEY,
            ConditionExpression="attribute_type(a, :x)",
            ExpressionAttributeValues={":x": {"S": "S"}},
        )
