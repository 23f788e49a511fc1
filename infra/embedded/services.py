"""The operations that the engine has, each with its parameters; anything else is an error that names it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from infra.embedded import events, kms_and_ssm, s3, sqs_queues
from infra.embedded.dynamodb import reads, tables
from infra.embedded.dynamodb.tables import create_table, describe_table, update_table, update_time_to_live
from infra.embedded.dynamodb.writes import transact_write_items, write
from infra.embedded.errors import ServiceError, StoreUnusableError, unknown
from infra.embedded.sqs_receiving import (
    change_message_visibility,
    delete_message,
    delete_message_batch,
    receive_message,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.embedded.engine import Engine
    from infra.embedded.errors import Answer, Params

type Operation = Callable[[Engine, Params], Answer]

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

_DECLARED: Final[dict[str, dict[str, tuple[Operation, str]]]] = {
    "dynamodb": {
        "CreateTable": (
            create_table,
            "TableName BillingMode AttributeDefinitions KeySchema GlobalSecondaryIndexes StreamSpecification",
        ),
        "DescribeTable": (describe_table, "TableName"),
        "UpdateTable": (
            update_table,
            "TableName AttributeDefinitions GlobalSecondaryIndexUpdates StreamSpecification",
        ),
        "UpdateTimeToLive": (update_time_to_live, "TableName TimeToLiveSpecification"),
        "GetItem": (
            reads.get_item,
            "TableName Key ConsistentRead ProjectionExpression ExpressionAttributeNames ReturnConsumedCapacity",
        ),
        "BatchGetItem": (reads.batch_get_item, "RequestItems ReturnConsumedCapacity"),
        "Query": (
            reads.query,
            _PAGE + "IndexName KeyConditionExpression FilterExpression ScanIndexForward ExpressionAttributeNames "
            "ExpressionAttributeValues",
        ),
        "Scan": (reads.scan, _PAGE),
        "PutItem": (partial(write, "Put"), _CONDITION + "Item"),
        "UpdateItem": (partial(write, "Update"), _CONDITION + "Key UpdateExpression"),
        "DeleteItem": (partial(write, "Delete"), _CONDITION + "Key"),
        "TransactWriteItems": (
            transact_write_items,
            "TransactItems ClientRequestToken ReturnConsumedCapacity",
        ),
    },
    "dynamodbstreams": {
        "DescribeStream": (tables.describe_stream, "StreamArn Limit ExclusiveStartShardId"),
        "GetShardIterator": (tables.get_shard_iterator, "StreamArn ShardId ShardIteratorType SequenceNumber"),
        "GetRecords": (tables.get_records, "ShardIterator Limit"),
    },
    "sqs": {
        "CreateQueue": (sqs_queues.create_queue, "QueueName Attributes"),
        "SetQueueAttributes": (sqs_queues.set_queue_attributes, "QueueUrl Attributes"),
        "GetQueueUrl": (sqs_queues.get_queue_url, "QueueName"),
        "GetQueueAttributes": (sqs_queues.get_queue_attributes, "QueueUrl AttributeNames"),
        "SendMessage": (sqs_queues.send_message, "QueueUrl MessageBody DelaySeconds MessageGroupId MessageAttributes"),
        "SendMessageBatch": (sqs_queues.send_message_batch, "QueueUrl Entries"),
        "ReceiveMessage": (receive_message, _RECEIVE),
        "DeleteMessage": (delete_message, "QueueUrl ReceiptHandle"),
        "DeleteMessageBatch": (delete_message_batch, "QueueUrl Entries"),
        "ChangeMessageVisibility": (change_message_visibility, "QueueUrl ReceiptHandle VisibilityTimeout"),
    },
    "events": {
        "CreateEventBus": (events.create_event_bus, "Name"),
        "PutEvents": (events.put_events, "Entries"),
        "PutRule": (events.put_rule, "Name EventBusName EventPattern"),
        "PutTargets": (events.put_targets, "Rule EventBusName Targets"),
    },
    "s3": {
        "CreateBucket": (s3.create_bucket, "Bucket"),
        "PutBucketLifecycleConfiguration": (s3.put_bucket_lifecycle_configuration, "Bucket LifecycleConfiguration"),
        "PutObject": (
            s3.put_object,
            "Bucket Key Body ContentType ChecksumAlgorithm ChecksumSHA256 IfMatch IfNoneMatch",
        ),
        "CopyObject": (s3.copy_object, "Bucket Key CopySource ChecksumAlgorithm"),
        "GetObject": (s3.get_object, "Bucket Key IfNoneMatch"),
        "HeadObject": (s3.head_object, "Bucket Key ChecksumMode"),
        "DeleteObject": (s3.delete_object, "Bucket Key"),
        "ListObjectsV2": (s3.list_objects_v2, "Bucket"),
    },
    "ssm": {
        "PutParameter": (kms_and_ssm.put_parameter, "Name Value Type Overwrite"),
        "GetParameter": (kms_and_ssm.get_parameter, "Name WithDecryption"),
    },
    "kms": {
        "CreateKey": (kms_and_ssm.create_key, "Description"),
        "CreateAlias": (kms_and_ssm.create_alias, "AliasName TargetKeyId"),
        "DescribeKey": (kms_and_ssm.describe_key, "KeyId"),
        "Encrypt": (kms_and_ssm.encrypt, "KeyId Plaintext EncryptionContext"),
        "Decrypt": (kms_and_ssm.decrypt, "KeyId CiphertextBlob EncryptionContext"),
    },
}
"""Operations with the names of the parameters that they read, or that change nothing here."""
OPERATIONS: Final = {
    service: {name: (run, frozenset(parameters.split())) for name, (run, parameters) in operations.items()}
    for service, operations in _DECLARED.items()
}


def call(engine: Engine, service: str, operation: str, params: Params) -> Answer:
    """Run one call. Raises ServiceError."""
    found = OPERATIONS.get(service, {}).get(operation)
    if found is None:
        raise unknown(f"the operation {operation} of {service}")
    run, parameters = found
    if strange := params.keys() - parameters:
        raise unknown(f"the parameter {min(strange)} of {operation}")
    try:
        return run(engine, params)
    except OSError as error:  # callers expect errors of AWS only: another one would end a thread that polls
        problem = f"the engine's folder cannot be used now: {error.strerror}"
        raise ServiceError("ServiceUnavailable", problem, _UNAVAILABLE) from error
    except StoreUnusableError as error:  # the file of keys was damaged after the start
        raise ServiceError("ServiceUnavailable", str(error), _UNAVAILABLE) from error
