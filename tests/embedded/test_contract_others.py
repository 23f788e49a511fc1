"""S3, SSM, KMS and EventBridge as this project uses them, on the engine, moto and ministack."""

import json
import time
from base64 import b64encode
from hashlib import sha256
from typing import Any

import pytest
from botocore.exceptions import ClientError

from functions.ids import new_id
from tests.embedded.backend import Backend, only


def code_of(refused: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    response = refused.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_an_object_is_written_read_and_removed(backend: Backend) -> None:
    s3, bucket, content = backend.client("s3"), f"bucket-{new_id().lower()}", bytes(range(256)) * 4096
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="outputs/a b/1", Body=b"old", ContentType="application/octet-stream")
    etag = s3.put_object(Bucket=bucket, Key="outputs/a b/1", Body=content, ContentType="text/x-test")["ETag"]
    found = s3.get_object(Bucket=bucket, Key="outputs/a b/1")
    body = found["Body"]
    assert (found["ContentLength"], found["ContentType"], found["ETag"]) == (len(content), "text/x-test", etag)
    assert (body.read(10), body.read()) == (content[:10], content[10:])
    body.close()
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["outputs/a b/1"]
    for _ in range(2):
        s3.delete_object(Bucket=bucket, Key="outputs/a b/1")
    with pytest.raises(s3.exceptions.NoSuchKey) as refused:
        s3.get_object(Bucket=bucket, Key="outputs/a b/1")
    assert code_of(refused) == ("NoSuchKey", 404)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


@pytest.mark.parametrize("size", [10, 2 * 1024 * 1024])
def test_an_object_with_a_checksum_is_checked_and_described(backend: Backend, size: int) -> None:
    s3, bucket, content = backend.client("s3"), f"bucket-{new_id().lower()}", b"x" * size
    checksum = b64encode(sha256(content).digest()).decode()
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=content, ChecksumAlgorithm="SHA256", ChecksumSHA256=checksum)
    described = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (described["ContentLength"], described["ChecksumSHA256"]) == (size, checksum)
    assert abs(described["LastModified"].timestamp() - time.time()) < 3600
    with pytest.raises(ClientError) as refused:
        s3.head_object(Bucket=bucket, Key="none")
    assert code_of(refused) == ("404", 404)


@only("engine", "moto")
@pytest.mark.parametrize("size", [10, 3 * 1024 * 1024])
def test_a_copy_has_the_bytes_the_type_and_a_checksum_of_its_own(backend: Backend, size: int) -> None:
    s3, bucket, content = backend.client("s3"), f"bucket-{new_id().lower()}", b"x" * size
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="outputs/a b/1", Body=content, ContentType="text/x-test")
    source = f"{bucket}/outputs/a b/1"
    s3.copy_object(Bucket=bucket, Key="files/1", CopySource=source, ChecksumAlgorithm="SHA256")
    s3.delete_object(Bucket=bucket, Key="outputs/a b/1")
    copied = s3.get_object(Bucket=bucket, Key="files/1")
    assert (copied["Body"].read(), copied["ContentType"]) == (content, "text/x-test")
    described = s3.head_object(Bucket=bucket, Key="files/1", ChecksumMode="ENABLED")
    assert described["ChecksumSHA256"] == b64encode(sha256(content).digest()).decode()
    with pytest.raises(ClientError) as refused:
        s3.copy_object(Bucket=bucket, Key="files/2", CopySource=source, ChecksumAlgorithm="SHA256")
    assert refused.value.response["Error"]["Code"] == "NoSuchKey"


def test_an_object_is_written_and_read_on_conditions(backend: Backend) -> None:
    s3, bucket = backend.client("s3"), f"bucket-{new_id().lower()}"
    s3.create_bucket(Bucket=bucket)
    first = s3.put_object(Bucket=bucket, Key="control/a", Body=b"1", IfNoneMatch="*")["ETag"]
    for condition in ({"IfNoneMatch": "*"}, {"IfMatch": '"0123456789abcdef0123456789abcdef"'}):
        with pytest.raises(ClientError) as refused:
            s3.put_object(Bucket=bucket, Key="control/a", Body=b"no", **condition)
        assert code_of(refused) == ("PreconditionFailed", 412)
    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket=bucket, Key="control/none", Body=b"no", IfMatch=first)
    assert code_of(refused) == ("NoSuchKey", 404)
    second = s3.put_object(Bucket=bucket, Key="control/a", Body=b"2", IfMatch=first)["ETag"]
    with pytest.raises(ClientError) as refused:
        s3.get_object(Bucket=bucket, Key="control/a", IfNoneMatch=second)
    assert code_of(refused) == ("304", 304)
    assert s3.get_object(Bucket=bucket, Key="control/a", IfNoneMatch=first)["Body"].read() == b"2"


def test_a_bucket_that_is_not_there_is_an_error(backend: Backend) -> None:
    s3 = backend.client("s3")
    with pytest.raises(s3.exceptions.NoSuchBucket) as refused:
        s3.get_object(Bucket="none", Key="x")
    assert code_of(refused) == ("NoSuchBucket", 404)


def test_a_secret_parameter_is_written_and_read(backend: Backend) -> None:
    ssm, name = backend.client("ssm"), f"/tests/{new_id()}"
    with pytest.raises(ssm.exceptions.ParameterNotFound):
        ssm.get_parameter(Name=name, WithDecryption=True)
    ssm.put_parameter(Name=name, Value="first", Type="SecureString")
    with pytest.raises(ssm.exceptions.ParameterAlreadyExists):
        ssm.put_parameter(Name=name, Value="second", Type="SecureString")
    ssm.put_parameter(Name=name, Value="third", Type="SecureString", Overwrite=True)
    parameter = ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]
    assert (parameter["Name"], parameter["Value"], parameter["Type"]) == (name, "third", "SecureString")


@only("engine", "moto")
def test_a_box_opens_for_its_context_only(backend: Backend) -> None:
    kms, context = backend.client("kms"), {"project_id": "p", "endpoint_id": "e"}
    key = kms.create_key(Description="test")["KeyMetadata"]
    box = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"secret", EncryptionContext=context)["CiphertextBlob"]
    opened = kms.decrypt(KeyId=key["KeyId"], CiphertextBlob=box, EncryptionContext=context)
    assert (opened["Plaintext"], opened["KeyId"]) == (b"secret", key["Arn"])
    assert kms.decrypt(CiphertextBlob=box, EncryptionContext=context)["Plaintext"] == b"secret"
    for wrong in ({"project_id": "q", "endpoint_id": "e"}, {}):
        with pytest.raises(kms.exceptions.InvalidCiphertextException):
            kms.decrypt(KeyId=key["KeyId"], CiphertextBlob=box, EncryptionContext=wrong)
    with pytest.raises(kms.exceptions.NotFoundException):
        kms.encrypt(KeyId="00000000-0000-0000-0000-000000000000", Plaintext=b"x")


def test_a_key_is_found_by_its_alias(backend: Backend) -> None:
    kms, alias = backend.client("kms"), f"alias/test-{new_id()}"
    with pytest.raises(kms.exceptions.NotFoundException):
        kms.describe_key(KeyId=alias)
    key = kms.create_key(Description="test")["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName=alias, TargetKeyId=key)
    assert kms.describe_key(KeyId=alias)["KeyMetadata"]["KeyId"] == key


def test_events_are_taken_one_by_one(backend: Backend) -> None:
    events, bus = backend.client("events"), f"bus-{new_id()}"
    events.create_event_bus(Name=bus)
    entry: dict[str, Any] = {
        "Source": "rustbox",
        "DetailType": "t",
        "Detail": json.dumps({"a": 1}),
        "EventBusName": bus,
    }
    answer = events.put_events(Entries=[entry, entry])
    assert answer["FailedEntryCount"] == 0
    assert len({result["EventId"] for result in answer["Entries"]}) == 2
    with pytest.raises(events.exceptions.ResourceAlreadyExistsException):
        events.create_event_bus(Name=bus)


def test_a_rule_passes_events_of_its_types_to_its_queue(backend: Backend) -> None:
    events, sqs = backend.client("events"), backend.client("sqs")
    bus, other = f"bus-{new_id()}", f"bus-{new_id()}"
    for name in (bus, other):
        events.create_event_bus(Name=name)
    url = sqs.create_queue(QueueName=f"queue-{new_id()}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    for _ in range(2):  # again changes nothing
        events.put_rule(Name="rule", EventBusName=bus, EventPattern=json.dumps({"detail-type": ["wanted"]}))
        answer = events.put_targets(Rule="rule", EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])
        assert answer["FailedEntryCount"] == 0
    entry = {"Source": "others", "DetailType": "wanted", "Detail": json.dumps({"a": {"b": "é"}}), "EventBusName": bus}
    sent: list[Any] = [entry, {**entry, "DetailType": "unwanted"}, {**entry, "EventBusName": other}]
    result = events.put_events(Entries=sent)
    received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    (event,) = (json.loads(message["Body"]) for message in received)
    assert {name: event[name] for name in ("id", "detail-type", "source", "detail")} == {
        "id": result["Entries"][0]["EventId"],
        "detail-type": "wanted",
        "source": "others",
        "detail": {"a": {"b": "é"}},
    }
    with pytest.raises(events.exceptions.ResourceNotFoundException):
        events.put_targets(Rule="nobody", EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])
    with pytest.raises(events.exceptions.ResourceNotFoundException):
        events.put_rule(Name="rule", EventBusName="nobody", EventPattern=json.dumps({"detail-type": ["wanted"]}))
