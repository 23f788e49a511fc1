"""The slow part of a start, before the processes are forked: boto3, the resources, and the functions' imports."""

from __future__ import annotations

import functools
import gc
import json
import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra.local.console import LogStream
from infra.local.embedded_aws import session
from infra.local.invoker import Invoker, load_handlers
from infra.local.metrics import Counters, counter_names
from infra.local.settings import ADMIN_KEY_PARAMETER, SMTP_URL_PARAMETER, StartError
from infra.local.state import ensure_admin_key, require_readable, seed_admin_key
from infra.local.template import STORAGE_TYPES, Stack, read_stack

if TYPE_CHECKING:
    from collections.abc import Callable

    import boto3
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

    from infra.local.processes.launcher import Prepared
    from infra.local.template import Template

# Creates the template's tables, queues, bucket, bus, rules and key; doing it again changes nothing.


def create_resources(template: Template, aws: boto3.Session) -> None:
    """Create missing resources. The template then knows every resource's attributes."""
    client: Callable[[str], Any] = functools.cache(aws.client)  # making one takes 20 ms
    values = template.values
    # A redrive policy needs its dead-letter queue, and a rule its bus and queues.
    storage = sorted(
        template.of_types(STORAGE_TYPES),
        key=lambda item: (item[1] == "AWS::Events::Rule", "RedrivePolicy" in item[2]),
    )
    for logical_id, kind, properties in storage:
        name = values[logical_id]["Name"]
        match kind:
            case "AWS::DynamoDB::Table":
                if (stream_arn := _create_table(client("dynamodb"), name, properties)) is not None:
                    values[logical_id]["StreamArn"] = stream_arn
            case "AWS::S3::Bucket":
                _create_bucket(client("s3"), name, properties)
            case "AWS::Events::EventBus":
                create_bus(client("events"), name)
            case "AWS::Events::Rule":
                put_rule(client("events"), name, properties)
            case "AWS::KMS::Key":
                values[logical_id] |= _create_key(client("kms"), name, properties)
            case _:
                values[logical_id]["Ref"] = _create_queue(client("sqs"), name, properties)


def _create_table(dynamodb: DynamoDBClient, name: str, properties: dict[str, Any]) -> str | None:
    """Return the ARN of the table's stream, None without one."""
    taken = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
    try:
        dynamodb.create_table(TableName=name, **{key: properties[key] for key in taken if key in properties})
    except dynamodb.exceptions.ResourceInUseException:
        _add_indexes(dynamodb, name, properties)
    else:
        dynamodb.get_waiter("table_exists").wait(TableName=name)
        ttl = properties.get("TimeToLiveSpecification")
        if ttl is not None:
            dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=ttl)
    return _set_stream(dynamodb, name, properties.get("StreamSpecification"))


def _set_stream(dynamodb: DynamoDBClient, name: str, wanted: dict[str, Any] | None) -> str | None:
    """Start or end the stream as the template says, also of a table that is there."""
    table = dynamodb.describe_table(TableName=name)["Table"]
    is_on = table.get("StreamSpecification", {}).get("StreamEnabled", False)
    if is_on != (wanted is not None):
        dynamodb.update_table(TableName=name, StreamSpecification={"StreamEnabled": not is_on, **(wanted or {})})  # type: ignore[typeddict-item]
        table = dynamodb.describe_table(TableName=name)["Table"]
    return None if wanted is None else table["LatestStreamArn"]


def _add_indexes(dynamodb: DynamoDBClient, name: str, properties: dict[str, Any]) -> None:
    """Add the indexes that the template got after this table was made; one a call, as DynamoDB wants it.

    An index that the template had once stays, and so do the definitions of its attributes.
    """
    table = dynamodb.describe_table(TableName=name)["Table"]
    present = {index["IndexName"] for index in table.get("GlobalSecondaryIndexes", [])}
    definitions = {kind["AttributeName"]: kind for kind in table["AttributeDefinitions"]}
    definitions |= {kind["AttributeName"]: kind for kind in properties["AttributeDefinitions"]}
    for index in properties.get("GlobalSecondaryIndexes", []):
        if index["IndexName"] not in present:
            dynamodb.update_table(
                TableName=name,
                AttributeDefinitions=list(definitions.values()),
                GlobalSecondaryIndexUpdates=[{"Create": index}],
            )


def create_bus(events: EventBridgeClient, name: str) -> None:
    """Create an event bus; an existing one stays as it is."""
    with suppress(events.exceptions.ResourceAlreadyExistsException):
        events.create_event_bus(Name=name)


def put_rule(events: EventBridgeClient, name: str, properties: dict[str, Any]) -> None:
    """Create or replace a rule with its targets."""
    bus, pattern = properties["EventBusName"], json.dumps(properties["EventPattern"])
    events.put_rule(Name=name, EventBusName=bus, EventPattern=pattern)
    events.put_targets(Rule=name, EventBusName=bus, Targets=properties["Targets"])


def _create_key(kms: KMSClient, name: str, properties: dict[str, Any]) -> dict[str, str]:
    """Return the key's Ref and Arn. Its alias, which the template does not have, finds it at the next start."""
    alias = f"alias/{name}"
    try:
        found = kms.describe_key(KeyId=alias)["KeyMetadata"]
    except kms.exceptions.NotFoundException:
        found = kms.create_key(Description=properties["Description"])["KeyMetadata"]
        kms.create_alias(AliasName=alias, TargetKeyId=found["KeyId"])
    return {"Ref": found["KeyId"], "Arn": found["Arn"]}


def _create_bucket(s3: S3Client, name: str, properties: dict[str, Any]) -> None:
    with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=name)
    rules = [
        {
            "ID": rule["Id"],
            "Status": rule["Status"],
            "Filter": {"Prefix": rule.get("Prefix", "")},
            "Expiration": {"Days": int(rule["ExpirationInDays"])},
        }
        for rule in properties.get("LifecycleConfiguration", {}).get("Rules", [])
        if "ExpirationInDays" in rule
    ]
    if rules:
        s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": rules})  # type: ignore[typeddict-item]


def _create_queue(sqs: SQSClient, name: str, properties: dict[str, Any]) -> str:
    """Return the queue's URL. An existing queue gets the template's attributes, its messages stay."""
    attributes: Any = {key: value if isinstance(value, str) else json.dumps(value) for key, value in properties.items()}
    attributes.pop("QueueName", None)
    try:
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    except sqs.exceptions.QueueDoesNotExist:
        return sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)
    return url


@dataclass(frozen=True, slots=True)
class Loaded:
    """The shared parts of the processes that run functions."""

    stack: Stack
    invoker: Invoker
    counters: Counters


def load(prepared: Prepared) -> Loaded:
    """Create the resources and import the functions, for all processes that are forked from now on. Raises StartError.

    Starts no thread and keeps no connection, as `prepare`.
    Enables the garbage collector, which the caller may have disabled: there is no garbage, and imports are quicker.
    """
    settings = prepared.settings
    prepared.embedded.answer_clients()
    aws = session()
    ssm = aws.client("ssm")
    from functions import VERSION  # noqa: PLC0415 - see `invoker.load_handlers`

    require_readable(ssm, VERSION)
    create_resources(prepared.template, aws)
    if prepared.direct is not None:
        prepared.direct.store_token(ssm)
    if settings.parameters["AdminKeyParameter"] == ADMIN_KEY_PARAMETER:
        if settings.production:
            ensure_admin_key(ssm, prepared.flush)
        else:
            seed_admin_key(ssm)
    stack = read_stack(prepared.template)
    sys.stdout = LogStream(prepared.console, "function")
    invoker = load_handlers(stack.functions)
    _store_smtp_url(ssm, settings.smtp_url)
    _lend_engine(prepared)
    if settings.failpoint:
        _arm(settings.failpoint)
    gc.freeze()  # collections in the processes would otherwise copy the pages that they share
    gc.enable()
    return Loaded(stack, invoker, Counters(counter_names(stack), settings.processes))


def _store_smtp_url(ssm: Any, url: str) -> None:
    """Put the mail server, if any, where the functions read it, as on AWS. Raises StartError, without the URL."""
    from functions.webhooks.mail import MailServer  # noqa: PLC0415 - see `invoker.load_handlers`

    if url:
        try:
            MailServer.of(url)
        except ValueError as wrong:
            raise StartError(str(wrong)) from None
        ssm.put_parameter(Name=SMTP_URL_PARAMETER, Value=url, Type="SecureString", Overwrite=True)


def _lend_engine(prepared: Prepared) -> None:
    """Let the functions wait for the disk, and look whether a row has changed."""
    from functions import durability  # noqa: PLC0415 - see `invoker.load_handlers`
    from functions.http import long_poll  # noqa: PLC0415

    durability.set_wait(prepared.flush)
    long_poll.set_version(prepared.embedded.engine.store.version)


def _arm(name: str) -> None:
    """For tests: SIGKILL the first process, and no other, that reaches the step `name` of a handler."""
    from functions import failpoint  # noqa: PLC0415 - see `invoker.load_handlers`

    token, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    os.write(writer, b"!")
    os.close(writer)

    def die_here(reached: str) -> None:
        if reached == name and os.read(token, 1):
            os.kill(os.getpid(), signal.SIGKILL)

    failpoint.set_hook(die_here)
