"""The operations that the engine has, and housekeeping. Anything else is an error that names it."""

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

from infra.embedded import events, kms_and_ssm, s3, sqs_queues
from infra.embedded.dynamodb import reads, tables
from infra.embedded.dynamodb.tables import (
    create_table,
    describe_table,
    expire_records,
    update_table,
    update_time_to_live,
)
from infra.embedded.dynamodb.writes import expire_items, transact_write_items, write
from infra.embedded.engine import Engine
from infra.embedded.errors import Answer, Params, ServiceError, StoreUnusableError, unknown
from infra.embedded.s3 import expire_objects, remove_unused_files
from infra.embedded.sqs_receiving import (
    bring_back,
    change_message_visibility,
    delete_message,
    delete_message_batch,
    expire_messages,
    receive_message,
    release_dead,
)

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


# Removes expired data, and returns the messages of dead processes. One process of a stack does it.

_RELEASE_SECS: Final = 1.0
_EXPIRE_SECS: Final = 60.0
# Writers wait for a transaction: many short ones, of a few milliseconds, are better than a long one.
_ROWS_PER_TRANSACTION: Final = 20


class Housekeeping:
    """A thread. A failure, such as a full disk, is tried again in the next pass."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)

    def start(self) -> None:
        """Return the messages of dead processes, and begin; the first pass is at once.

        Afterwards no receiver gets a message before those that a dead process held.
        """
        self.release()
        self._thread.start()

    def release(self) -> None:
        """Return the messages of dead processes now: one of these is about to be replaced."""
        with suppress(ServiceError, OSError):  # as below
            release_dead(self._engine)

    def stop(self) -> None:
        """End after the current pass."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        expire_at = 0.0
        while True:
            try:
                release_dead(self._engine)
                if time.monotonic() >= expire_at:
                    expire_at = time.monotonic() + _EXPIRE_SECS
                    expire(self._engine, self._stop)
            except (ServiceError, OSError):
                pass  # callers of the engine see the same failure, and report it
            if self._stop.wait(_RELEASE_SECS):
                return


def expire(engine: Engine, stop: threading.Event) -> None:
    """Remove all items, stream records, messages and objects whose time is over. SQLite uses their space again.

    Messages from the future come back: the clock ran ahead, and is right again.
    """
    now_ms = engine.clock()
    for remove in (expire_items, expire_records, expire_messages, expire_objects, bring_back):
        _remove_all(engine, remove, now_ms, stop)
    remove_unused_files(engine)


def _remove_all(
    engine: Engine, remove: Callable[[sqlite3.Connection, int, int], int], now_ms: int, stop: threading.Event
) -> None:
    """Leave writers as much time as each transaction takes: they would not get the lock between two of them."""
    removed = _ROWS_PER_TRANSACTION
    while removed == _ROWS_PER_TRANSACTION:
        begun = time.monotonic()
        with engine.store.write() as connection:
            removed = remove(connection, now_ms, _ROWS_PER_TRANSACTION)
        if stop.wait(time.monotonic() - begun):
            return
