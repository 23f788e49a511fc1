"""The runner reaches its queues and outputs by a socket, and nothing else; it opens neither the file nor the keys."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError

from infra.embedded.confined import protocol
from infra.embedded.confined.protocol import SocketCaller
from infra.embedded.confined.socket_server import CallSocket, Policy
from infra.embedded.engine import Engine
from infra.embedded.errors import ServiceError
from infra.embedded.hook import Hook
from infra.embedded.sqs_receiving import release_dead
from infra.local.settings import ROOT
from sandbox_runtime.network import NetworkError
from sandbox_runtime.network.relay.client import SealedSecret
from sandbox_runtime.secret_opener import SecretOpener
from tests.descriptors import no_free_descriptors
from tests.embedded.backend import Backend, make_session
from tests.embedded.runner_calls import (
    BUCKET,
    CONTEXT,
    VALUE,
    every_call,
    local_statements,
    opener_at,
    sealed_for,
    what_it_writes,
)


@dataclass
class Served:
    call: SocketCaller
    path: Path
    queues: dict[str, str]
    runner: Backend


@pytest.fixture
def served(engine: Engine, aws: Backend, tmp_path: Path) -> Iterator[Served]:
    names = ("InteractiveQueue", "BatchQueue", "CompletionsQueue", "DeliveriesQueue", "InteractiveDeadLetters")
    queues = {name: aws.client("sqs").create_queue(QueueName=f"rustbox-local-{name}")["QueueUrl"] for name in names}
    aws.client("s3").create_bucket(Bucket=BUCKET)
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    server = CallSocket(folder / "runner.sock", engine, Policy(local_statements()))
    server.start()
    session, caller = make_session(), SocketCaller(folder / "runner.sock")
    Hook(caller).attach(session)
    yield Served(caller, folder / "runner.sock", queues, Backend("engine", session))
    caller.close()
    server.close()


def test_the_runner_may_use_its_queues_and_its_part_of_the_bucket(served: Served, aws: Backend) -> None:
    sqs, ours = served.runner.client("sqs"), aws.client("sqs")
    for name in ("InteractiveQueue", "BatchQueue"):
        url = served.queues[name]
        ours.send_message(QueueUrl=url, MessageBody="run", MessageGroupId="p")
        (message,) = sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            WaitTimeSeconds=1,
            VisibilityTimeout=60,
            MessageSystemAttributeNames=["ApproximateReceiveCount"],
        )["Messages"]
        handle = message["ReceiptHandle"]
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=60)
        sqs.delete_message(QueueUrl=url, ReceiptHandle=handle)
        assert ours.receive_message(QueueUrl=url, WaitTimeSeconds=0).get("Messages") is None
    completions = served.queues["CompletionsQueue"]
    sqs.send_message(QueueUrl=completions, MessageBody="done")
    sqs.send_message_batch(QueueUrl=completions, Entries=[{"Id": "0", "MessageBody": "done"}])
    assert len(ours.receive_message(QueueUrl=completions, MaxNumberOfMessages=10)["Messages"]) == 2
    content = os.urandom(1024 * 1024)
    served.runner.client("s3").put_object(Bucket=BUCKET, Key="outputs/s/e/stdout", Body=content, ContentType="x/y")
    assert aws.client("s3").get_object(Bucket=BUCKET, Key="outputs/s/e/stdout")["Body"].read() == content
    aws.client("s3").put_object(Bucket=BUCKET, Key="judge-inputs/s/x", Body=content * 16)
    assert served.runner.client("s3").get_object(Bucket=BUCKET, Key="judge-inputs/s/x")["Body"].read() == content * 16
    with pytest.raises(ClientError, match="NoSuchKey"):
        served.runner.client("s3").get_object(Bucket=BUCKET, Key="judge-inputs/s/y")


@contextlib.contextmanager
def short_address(path: Path) -> Iterator[str]:
    """Name a socket within the 107 bytes of an address."""
    folder = os.open(path.parent, os.O_PATH)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def test_every_other_call_is_denied(served: Served) -> None:
    queues = served.queues
    allowed = {
        *(
            ("sqs", operation + suffix, queues[name])
            for operation in ("ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility")
            for suffix in ("", "Batch")
            for name in ("InteractiveQueue", "BatchQueue")
        ),
        *(("sqs", operation, queues["CompletionsQueue"]) for operation in ("SendMessage", "SendMessageBatch")),
        ("s3", "PutObject", "outputs/s"),
        ("s3", "GetObject", "judge-inputs/s"),
        ("s3", "GetObject", "deleted/s"),
        ("s3", "GetObject", "files/s"),
    }
    call, denied = served.call, 0
    for service, operation, params in every_call(queues):
        resource = params.get("QueueUrl") or (params["Key"] if params.get("Bucket") == BUCKET else "")
        code = ""
        try:
            call(service, operation, params)
        except Exception as error:  # noqa: BLE001 - a call that is allowed may lack parameters
            code = getattr(error, "code", "")
        assert (code == "AccessDenied") == ((service, operation, resource) not in allowed), (service, operation, params)
        denied += code == "AccessDenied"
    assert denied > 90


@pytest.fixture
def opener(served: Served, monkeypatch: pytest.MonkeyPatch) -> Iterator[SecretOpener]:
    """The opener as a runner starts it here: through the same socket, with the same policy."""
    with opener_at(served.path, monkeypatch) as made:
        yield made


def test_the_opener_opens_what_is_sealed_for_the_network(opener: SecretOpener, aws: Backend) -> None:
    sealed = sealed_for(aws, CONTEXT)
    for _ in range(2):  # the second time it remembers
        (written,) = what_it_writes(opener, sealed)
        assert (written["name"], written["host"], written["value"]) == ("github", "api.example.com", VALUE.decode())


@pytest.mark.parametrize(
    "context",
    [
        {"project_id": "p", "endpoint_id": "secret:github"},
        {**CONTEXT, "purpose": "environment"},
        {**CONTEXT, "purpose": "sign"},
        {"parameter": "/rustbox/admin-key"},
    ],
)
def test_the_runner_may_open_nothing_that_has_another_purpose(
    opener: SecretOpener, served: Served, aws: Backend, context: dict[str, str]
) -> None:
    sealed = sealed_for(aws, context)
    with pytest.raises(NetworkError, match=r"may not open secrets: its role needs kms:Decrypt"):
        what_it_writes(opener, sealed)
    for operation in ("Decrypt", "Encrypt"):
        with pytest.raises(ClientError, match="AccessDenied"):
            getattr(served.runner.client("kms"), operation.lower())(
                **({"CiphertextBlob": sealed.box} if operation == "Decrypt" else {"KeyId": "x", "Plaintext": b"x"}),
                EncryptionContext=context,
            )


@pytest.mark.parametrize("changed", ["project_id", "endpoint_id", "rules"])
def test_a_box_of_another_project_or_rule_is_not_opened(opener: SecretOpener, aws: Backend, changed: str) -> None:
    sealed = sealed_for(aws, CONTEXT)
    other = SealedSecret(sealed.secret, {**CONTEXT, changed: "other"}, sealed.box)
    with pytest.raises(NetworkError, match="does not belong to this project, host and rules"):
        what_it_writes(opener, other)


def test_an_opener_that_was_killed_is_started_again(opener: SecretOpener, aws: Backend) -> None:
    sealed = sealed_for(aws, CONTEXT)
    what_it_writes(opener, sealed)
    assert opener._process is not None
    opener._process.kill()
    opener._process.wait()
    (written,) = what_it_writes(opener, sealed)
    assert written["value"] == VALUE.decode()


def test_the_opener_has_no_token_and_cannot_be_read(
    opener: SecretOpener, aws: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNNER_TOKEN", "the-token-of-the-direct-path-of-a-runner")
    what_it_writes(opener, sealed_for(aws, CONTEXT))
    assert opener._process is not None
    process = Path(f"/proc/{opener._process.pid}")
    assert b"the-token-of" not in (process / "environ").read_bytes()
    assert VALUE not in b"".join((process / name).read_bytes() for name in ("environ", "cmdline"))


@pytest.mark.parametrize(
    "params",
    [{"Bucket": BUCKET, "Key": ["outputs/s"]}, {"Bucket": [BUCKET], "Key": "outputs/s"}, {"QueueUrl": {"x": 1}}, {}],
)
def test_a_resource_that_is_no_text_is_denied(served: Served, params: dict[str, Any]) -> None:
    for service, operation in (("s3", "PutObject"), ("sqs", "SendMessage")):
        with pytest.raises(Exception, match="AccessDenied"):
            served.call(service, operation, params)


def test_botocore_raises_the_denial_as_its_own_error(served: Served) -> None:
    with pytest.raises(ClientError) as refused:
        served.runner.client("dynamodb").get_item(TableName="rustbox-local-ProjectsTable", Key={"pk": {"S": "a"}})
    assert refused.value.response["Error"]["Code"] == "AccessDenied"


@pytest.mark.parametrize(
    "frame",
    [
        b"\x7f\xff\xff\xff",
        b"\xff\xff\xff\xff" + b"\x7f" + b"\xff" * 7,  # the form of frames above 2 GB
        b"\0\0\0\x02[]",
        b"\0\0\0\x03{x}",
        b"\0\0\0\x09" + b'{"a":1}  ',
        b"\0\x01\0\0" + b"[" * 65_536,
        b"\0\0\0\x0c" + b'{"base64":1}',
    ],
)
def test_a_hostile_frame_ends_its_connection_or_is_refused(served: Served, frame: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as hostile:
        with short_address(served.path) as address:
            hostile.connect(address)
        hostile.sendall(frame)
        with contextlib.suppress(EOFError), Connection(hostile.detach()) as connection:
            assert "error" in protocol.receive(connection)[0]
    served.runner.client("sqs").send_message(QueueUrl=served.queues["CompletionsQueue"], MessageBody="alive")


def test_parameters_of_any_type_end_no_server(served: Served) -> None:
    call = served.call
    queue = served.queues["InteractiveQueue"]
    for params in ({"QueueUrl": queue, "MaxNumberOfMessages": "x"}, {"QueueUrl": queue, "WaitTimeSeconds": [1]}):
        with pytest.raises(Exception, match="InvalidParameterValue"):
            call("sqs", "ReceiveMessage", params)
    call("sqs", "ReceiveMessage", {"QueueUrl": queue})


def test_a_process_without_free_descriptors_serves_again_when_it_has_some(served: Served) -> None:
    params = {"QueueUrl": served.queues["CompletionsQueue"], "MessageBody": "x"}
    with socket.socket(socket.AF_UNIX) as waiting, short_address(served.path) as address, no_free_descriptors():
        waiting.connect(address)
        time.sleep(0.3)  # for the server to see it
        # The server may take the connection before its last descriptor is gone: then it closes it at once.
        with pytest.raises((EndpointConnectionError, ConnectionClosedError)):
            served.runner.client("sqs").send_message(**params)
    served.runner.client("sqs").send_message(**params)


def test_a_process_that_ends_costs_one_call_however_many_connections_led_to_it(served: Served) -> None:
    call, params = served.call, {"QueueUrl": served.queues["InteractiveQueue"]}
    call._idle.extend([call._connection() for _ in range(3)])
    for connection in call._idle:
        with socket.socket(fileno=os.dup(connection.fileno())) as end:
            end.shutdown(socket.SHUT_RDWR)
    with pytest.raises(ConnectionClosedError):
        call("sqs", "ReceiveMessage", params)
    assert call("sqs", "ReceiveMessage", params) == {}


@pytest.mark.parametrize("body", [500_000_000, [1, 2], "text", {"x": 1}])
def test_the_content_of_an_object_is_as_large_as_its_message(served: Served, body: object) -> None:
    with pytest.raises(ServiceError, match="not bytes"):
        served.call("s3", "PutObject", {"Bucket": BUCKET, "Key": "outputs/s", "Body": body})


def test_a_server_that_answers_nothing_costs_a_timeout(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "_TIMEOUT_SECS", 1)
    with socket.socket(socket.AF_UNIX) as silent:
        path = served.path.with_name("silent.sock")
        with short_address(path) as address:
            silent.bind(address)
        silent.listen()
        caller = SocketCaller(path)
        for size in (1, 1024 * 1024):  # one that fits into the socket, and one that nobody takes
            with pytest.raises(ConnectionClosedError):
                caller("sqs", "SendMessage", {"QueueUrl": "x", "MessageBody": "x" * size})


def test_without_a_server_the_runner_sees_a_connection_error(tmp_path: Path) -> None:
    session = make_session()
    Hook(SocketCaller(tmp_path / "none.sock")).attach(session)
    with pytest.raises(EndpointConnectionError):
        Backend("engine", session).client("sqs").send_message(QueueUrl="x", MessageBody="x")


_RUNNER = """
import json, os, sys
from pathlib import Path
import boto3
from infra.embedded.hook import Hook
from infra.embedded.confined.protocol import SocketCaller
Hook(SocketCaller(Path(sys.argv[1]))).attach_everywhere()
sqs = boto3.Session(region_name="us-east-1").client("sqs")
(message,) = sqs.receive_message(QueueUrl=sys.argv[2], VisibilityTimeout=43200)["Messages"]
opened = [str(path.resolve()) for path in Path("/proc/self/fd").iterdir()]
loaded = {"sqlite3", "infra.embedded.engine", "infra.embedded.storage.store", "infra.local"} & sys.modules.keys()
print(json.dumps({"body": message["Body"], "opened": opened, "loaded": list(loaded)}), flush=True)
sys.stdin.read()
"""


def test_a_runner_process_has_no_file_and_no_key_and_its_messages_return(
    served: Served, engine: Engine, aws: Backend
) -> None:
    url = served.queues["InteractiveQueue"]
    aws.client("sqs").send_message(QueueUrl=url, MessageBody="run")
    runner = subprocess.Popen(
        [sys.executable, "-c", _RUNNER, str(served.path), url],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "AWS_EC2_METADATA_DISABLED": "true"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert runner.stdout is not None
    assert runner.stdin is not None
    told = json.loads(runner.stdout.readline())
    assert told["body"] == "run"
    assert not [path for path in told["opened"] if "sqlite" in path or "kms" in path]
    assert told["loaded"] == []
    assert release_dead(engine) == 0
    runner.kill()
    runner.wait()
    assert release_dead(engine) == 1
    assert len(aws.client("sqs").receive_message(QueueUrl=url)["Messages"]) == 1
    runner.stdout.close()
    runner.stdin.close()


@pytest.mark.parametrize(
    "statement",
    [
        {"Effect": "Deny", "Action": ["sqs:SendMessage"], "Resource": ["*"]},
        {"Effect": "Allow", "Action": ["sqs:SendMessage"], "Resource": ["*"], "Condition": {}},
        {"Effect": "Allow", "NotAction": ["sqs:SendMessage"], "Resource": ["*"]},
        {
            "Effect": "Allow",
            "Action": ["sqs:SendMessage"],
            "Resource": ["*"],
            "Condition": {"StringEquals": {"kms:EncryptionContext:purpose": "network"}},
        },
        {
            "Effect": "Allow",
            "Action": ["kms:Decrypt"],
            "Resource": ["*"],
            "Condition": {"StringLike": {"kms:EncryptionContext:purpose": "*"}},
        },
        {"Effect": "Deny", "Action": ["kms:Decrypt"], "Resource": ["*"], "Condition": {"StringEquals": {}}},
    ],
)
def test_a_policy_that_says_more_is_refused(statement: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"understood|may have a condition"):
        Policy([statement])
