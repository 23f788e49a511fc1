"""The operations that the engine has, each with its parameters; anything else is an error that names it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from infra.embedded import events, kms, s3, ssm
from infra.embedded.dynamodb import reads, streams, tables, transactions, writes
from infra.embedded.errors import ServiceError, unknown
from infra.embedded.sqs import queues, receipts, receiving, sending

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.embedded.calls import Answer, Params
    from infra.embedded.engine import Engine


@dataclass(frozen=True, slots=True)
class Operation:
    """`parameters`: the names of those that `run` reads, or that change nothing here."""

    run: Callable[[Engine, Params], Answer]
    parameters: frozenset[str]


def _operation(run: Callable[[Engine, Params], Answer], parameters: str) -> Operation:
    return Operation(run, frozenset(parameters.split()))


_UNAVAILABLE: Final = 503
_CONDITION: Final = (
    "TableName ConditionExpression ExpressionAttributeNames ExpressionAttributeValues ReturnValues "
    "ReturnValuesOnConditionCheckFailure ReturnConsumedCapacity "
)
_PAGE: Final = "TableName ExclusiveStartKey Limit Select ConsistentRead ReturnConsumedCapacity "
_RECEIVE: Final = (
    "QueueUrl MaxNumberOfMessages WaitTimeSeconds VisibilityTimeout MessageSystemAttributeNames AttributeNames "
    "MessageAttributeNames"
)

OPERATIONS: Final = {
    "dynamodb": {
        "CreateTable": _operation(
            tables.create_table,
            "TableName BillingMode AttributeDefinitions KeySchema GlobalSecondaryIndexes StreamSpecification",
        ),
        "DescribeTable": _operation(tables.describe_table, "TableName"),
        "UpdateTable": _operation(
            tables.update_table, "TableName AttributeDefinitions GlobalSecondaryIndexUpdates StreamSpecification"
        ),
        "UpdateTimeToLive": _operation(tables.update_time_to_live, "TableName TimeToLiveSpecification"),
        "GetItem": _operation(
            reads.get_item,
            "TableName Key ConsistentRead ProjectionExpression ExpressionAttributeNames ReturnConsumedCapacity",
        ),
        "BatchGetItem": _operation(reads.batch_get_item, "RequestItems ReturnConsumedCapacity"),
        "Query": _operation(
            reads.query,
            _PAGE + "IndexName KeyConditionExpression FilterExpression ScanIndexForward ExpressionAttributeNames "
            "ExpressionAttributeValues",
        ),
        "Scan": _operation(reads.scan, _PAGE),
        "PutItem": _operation(writes.put_item, _CONDITION + "Item"),
        "UpdateItem": _operation(writes.update_item, _CONDITION + "Key UpdateExpression"),
        "DeleteItem": _operation(writes.delete_item, _CONDITION + "Key"),
        "TransactWriteItems": _operation(
            transactions.transact_write_items, "TransactItems ClientRequestToken ReturnConsumedCapacity"
        ),
    },
    "dynamodbstreams": {
        "DescribeStream": _operation(streams.describe_stream, "StreamArn Limit ExclusiveStartShardId"),
        "GetShardIterator": _operation(
            streams.get_shard_iterator, "StreamArn ShardId ShardIteratorType SequenceNumber"
        ),
        "GetRecords": _operation(streams.get_records, "ShardIterator Limit"),
    },
    "sqs": {
        "CreateQueue": _operation(queues.create_queue, "QueueName Attributes"),
        "SetQueueAttributes": _operation(queues.set_queue_attributes, "QueueUrl Attributes"),
        "GetQueueUrl": _operation(queues.get_queue_url, "QueueName"),
        "GetQueueAttributes": _operation(queues.get_queue_attributes, "QueueUrl AttributeNames"),
        "SendMessage": _operation(
            sending.send_message, "QueueUrl MessageBody DelaySeconds MessageGroupId MessageAttributes"
        ),
        "SendMessageBatch": _operation(sending.send_message_batch, "QueueUrl Entries"),
        "ReceiveMessage": _operation(receiving.receive_message, _RECEIVE),
        "DeleteMessage": _operation(receipts.delete_message, "QueueUrl ReceiptHandle"),
        "DeleteMessageBatch": _operation(receipts.delete_message_batch, "QueueUrl Entries"),
        "ChangeMessageVisibility": _operation(
            receipts.change_message_visibility, "QueueUrl ReceiptHandle VisibilityTimeout"
        ),
    },
    "events": {
        "CreateEventBus": _operation(events.create_event_bus, "Name"),
        "PutEvents": _operation(events.put_events, "Entries"),
        "PutRule": _operation(events.put_rule, "Name EventBusName EventPattern"),
        "PutTargets": _operation(events.put_targets, "Rule EventBusName Targets"),
    },
    "s3": {
        "CreateBucket": _operation(s3.create_bucket, "Bucket"),
        "PutBucketLifecycleConfiguration": _operation(
            s3.put_bucket_lifecycle_configuration, "Bucket LifecycleConfiguration"
        ),
        "PutObject": _operation(s3.put_object, "Bucket Key Body ContentType"),
        "GetObject": _operation(s3.get_object, "Bucket Key"),
        "DeleteObject": _operation(s3.delete_object, "Bucket Key"),
        "ListObjectsV2": _operation(s3.list_objects_v2, "Bucket"),
    },
    "ssm": {
        "PutParameter": _operation(ssm.put_parameter, "Name Value Type Overwrite"),
        "GetParameter": _operation(ssm.get_parameter, "Name WithDecryption"),
    },
    "kms": {
        "CreateKey": _operation(kms.create_key, "Description"),
        "CreateAlias": _operation(kms.create_alias, "AliasName TargetKeyId"),
        "DescribeKey": _operation(kms.describe_key, "KeyId"),
        "Encrypt": _operation(kms.encrypt, "KeyId Plaintext EncryptionContext"),
        "Decrypt": _operation(kms.decrypt, "KeyId CiphertextBlob EncryptionContext"),
    },
}


def call(engine: Engine, service: str, operation: str, params: Params) -> Answer:
    """Run one call. Raises ServiceError."""
    found = OPERATIONS.get(service, {}).get(operation)
    if found is None:
        raise unknown(f"the operation {operation} of {service}")
    if strange := params.keys() - found.parameters:
        raise unknown(f"the parameter {min(strange)} of {operation}")
    try:
        return found.run(engine, params)
    except OSError as error:  # callers expect errors of AWS only: another one would end a thread that polls
        problem = f"the engine's folder cannot be used now: {error.strerror}"
        raise ServiceError("ServiceUnavailable", problem, _UNAVAILABLE) from error
