"""The short way of AWS calls on loopback does what botocore's own does, errors and repeats included."""

import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
)
from botocore.httpsession import URLLib3Session

from infra.local.aws_http import LoopbackHttp, _place, _written, use_loopback_http
from infra.local.resources import session
from tests.adapters.local_server import server

__all__ = ["server"]

TABLE = {
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}


@pytest.fixture
def by_botocore(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The URLs of requests that botocore sent itself."""
    sent: list[str] = []
    send = URLLib3Session.send

    def noted(self: URLLib3Session, request: Any) -> Any:
        sent.append(request.url)
        return send(self, request)

    monkeypatch.setattr(URLLib3Session, "send", noted)
    return sent


def client(service: str, url: str, *, short: bool = True, **config: Any) -> Any:
    made = boto3.session.Session("test", "test", region_name="us-east-1").client(
        service,  # type: ignore[call-overload]
        endpoint_url=url,
        config=Config(retries={"mode": "standard", "total_max_attempts": 3}, **config),
    )
    if short:
        made.meta.events.register("before-send", LoopbackHttp())
    return made


type Script = Callable[[socket.socket], None]


@contextmanager
def scripted(*scripts: Script) -> Iterator[tuple[str, list[bytes]]]:
    """A server that treats its connections by these in turn, and the requests' heads that it saw."""
    heads: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve(script: Script, connection: socket.socket) -> None:
            with connection:
                heads.append(head(connection))
                script(connection)

        def accept() -> None:
            serving = []
            for script in scripts:
                thread = threading.Thread(target=serve, args=(script, listener.accept()[0]), daemon=True)
                thread.start()
                serving.append(thread)
            for thread in serving:
                thread.join(20)

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", heads
        accepting.join(20)
        assert not accepting.is_alive()


def head(connection: socket.socket) -> bytes:
    seen = b""
    while b"\r\n\r\n" not in seen:
        part = connection.recv(65536)
        assert part, seen
        seen += part
    found, _, body = seen.partition(b"\r\n\r\n")
    length = int(found.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)
    return found


def says(raw: bytes) -> Script:
    return lambda connection: connection.sendall(raw)


def answers(content: bytes, *headers: str, status: str = "200 OK") -> Script:
    lines = "\r\n".join([f"HTTP/1.1 {status}", f"content-length: {len(content)}", *headers])
    return says(lines.encode() + b"\r\n\r\n" + content)


def get(dynamodb: Any) -> Any:
    return dynamodb.get_item(TableName="t", Key={"pk": {"S": "a"}})


ITEM = b'{"Item":{"pk":{"S":"a"}}}'


def test_both_ways_agree(server: str, by_botocore: list[str]) -> None:
    short, own = client("dynamodb", server), client("dynamodb", server, short=False)
    short.create_table(TableName="both", **TABLE)
    item = {"pk": {"S": "é\n"}, "blob": {"B": bytes(range(256)) * 400}}
    short.put_item(TableName="both", Item=item)
    assert not by_botocore
    seen = [each.get_item(TableName="both", Key={"pk": item["pk"]}) for each in (short, own)]
    own.close()
    assert len(by_botocore) == 1
    assert seen[0]["Item"] == seen[1]["Item"] == item
    assert seen[0]["ResponseMetadata"]["HTTPHeaders"].keys() == seen[1]["ResponseMetadata"]["HTTPHeaders"].keys()


def test_errors_are_the_services_own(server: str, by_botocore: list[str]) -> None:
    dynamodb = client("dynamodb", server)
    dynamodb.create_table(TableName="errors", **TABLE)
    dynamodb.put_item(TableName="errors", Item={"pk": {"S": "a"}, "n": {"N": "1"}})
    with pytest.raises(ClientError) as refused:
        dynamodb.put_item(
            TableName="errors",
            Item={"pk": {"S": "a"}},
            ConditionExpression="attribute_not_exists(pk)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    assert refused.value.response["Error"]["Code"] == "ConditionalCheckFailedException"
    assert refused.value.response["Item"] == {"pk": {"S": "a"}, "n": {"N": "1"}}  # type: ignore[typeddict-item]
    assert not by_botocore


def test_every_service_of_the_handlers_answers(server: str, by_botocore: list[str]) -> None:
    sqs, events, kms, s3 = (client(service, server) for service in ("sqs", "events", "kms", "s3"))
    url = sqs.create_queue(QueueName="short")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="hello")
    assert [message["Body"] for message in sqs.receive_message(QueueUrl=url)["Messages"]] == ["hello"]
    entry = {"Source": "rustbox", "DetailType": "x", "Detail": "{}", "EventBusName": "default"}
    assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    sealed = kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    assert kms.decrypt(KeyId=key, CiphertextBlob=sealed)["Plaintext"] == b"secret"
    assert not by_botocore
    content = bytes(range(256)) * 4096
    s3.create_bucket(Bucket="payloads")
    s3.put_object(Bucket="payloads", Key="a/b c", Body=content)
    assert s3.get_object(Bucket="payloads", Key="a/b c")["Body"].read() == content
    assert s3.head_object(Bucket="payloads", Key="a/b c")["ContentLength"] == len(content)
    s3.close()
    assert by_botocore  # uploads that wait for "100 Continue", downloads and HEAD


def test_many_threads_share_a_client(server: str) -> None:
    sqs = client("sqs", server)
    url = sqs.create_queue(QueueName="shared")["QueueUrl"]
    answered: list[bool] = []

    def ask(number: int) -> None:
        for step in range(25):
            body = f"{number}.{step}"
            sent = sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes={})
            attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
            answered.append(sent["MessageId"] != "" and attributes["Attributes"]["QueueArn"].endswith(":shared"))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answered == [True] * 200


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 25\r\n\r\n" + ITEM,
        b"HTTP/1.1 200 OK\r\nContent-Length:25\r\n\r\n" + ITEM,
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 25\r\n\r\n" + ITEM,
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
        b"5;x=y\r\n" + ITEM[:5] + b"\r\n14\r\n" + ITEM[5:] + b"\r\n0\r\ntrailer: x\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n" + ITEM,
    ],
    ids=["length", "other-letters", "interim", "chunks", "until-the-end"],
)
def test_answers_of_every_form_are_read(raw: bytes) -> None:
    with scripted(says(raw)) as (url, heads):
        assert get(client("dynamodb", url))["Item"] == {"pk": {"S": "a"}}
    lines = heads[0].decode().split("\r\n")
    assert lines[0] == "POST / HTTP/1.1"
    assert sum(line.lower() == f"host: {url.removeprefix('http://')}" for line in lines) == 1
    assert any(line.startswith("Authorization: AWS4-HMAC-SHA256 Credential=test/") for line in lines)


def test_a_connection_is_used_again_until_the_server_ends_it() -> None:
    def thrice(connection: socket.socket) -> None:
        answers(ITEM)(connection)
        for _ in range(2):
            head(connection)
            answers(ITEM)(connection)

    with scripted(thrice, answers(ITEM)) as (url, heads):
        dynamodb = client("dynamodb", url)
        results = [get(dynamodb) for _ in range(3)]
        results.append(get(dynamodb))  # the first connection has ended meanwhile, or it ends below this request
    assert [result["Item"] for result in results] == [{"pk": {"S": "a"}}] * 4
    assert len(heads) == 2


@pytest.mark.parametrize("comes_with_the_answer", [True, False])
def test_what_nobody_asked_for_is_not_taken_for_an_answer(*, comes_with_the_answer: bool) -> None:
    unasked = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
    first_is_read, is_said, is_over = threading.Event(), threading.Event(), threading.Event()

    def talk(connection: socket.socket) -> None:
        raw = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(ITEM), ITEM)
        connection.sendall(raw + unasked if comes_with_the_answer else raw)
        first_is_read.wait(20)
        if not comes_with_the_answer:
            connection.sendall(unasked)
        is_said.set()
        is_over.wait(20)  # open all the time: its end would tell too

    with scripted(talk, answers(ITEM)) as (url, heads):
        dynamodb = client("dynamodb", url)
        assert get(dynamodb)["Item"] == {"pk": {"S": "a"}}
        first_is_read.set()
        assert is_said.wait(20)
        assert get(dynamodb)["Item"] == {"pk": {"S": "a"}}
        is_over.set()
    assert len(heads) == 2


@pytest.mark.parametrize(
    "failure",
    [
        says(b""),
        says(b"HTTP/1.1 200 OK\r\ncontent-le"),
        says(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort"),
        says(b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n"),
        says(b"nonsense\r\n\r\n"),
        says(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"),
        answers(b'{"__type":"InternalServerError"}', "connection: close", status="500 Internal Server Error"),
        answers(ITEM, f"x-amz-crc32: {zlib.crc32(ITEM) ^ 1}", "connection: close"),
    ],
    ids=["nothing", "half-a-head", "half-a-body", "negative", "nonsense", "chunk", "busy", "checksum"],
)
def test_what_fails_is_repeated_as_botocore_would(failure: Script) -> None:
    right = answers(ITEM, f"x-amz-crc32: {zlib.crc32(ITEM)}", "connection: close")
    with scripted(failure, right) as (url, heads):
        answer = get(client("dynamodb", url))
    assert answer["Item"] == {"pk": {"S": "a"}}
    assert answer["ResponseMetadata"]["RetryAttempts"] == 1
    assert [f"amz-sdk-request: attempt={tried}".encode() in head for tried, head in enumerate(heads, 1)] == [True, True]


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (says(b""), ConnectionClosedError),
        (says(b"nonsense\r\n\r\n"), HTTPClientError),
        (lambda connection: connection.recv(1) and None, ReadTimeoutError),
    ],
    ids=["ended", "nonsense", "silent"],
)
def test_what_fails_three_times_raises_botocores_error(failure: Script, error: type[Exception]) -> None:
    read_timeout = 0.2 if error is ReadTimeoutError else 20  # the others must not meet it on a slow machine
    with scripted(*[failure] * 3) as (url, _), pytest.raises(error):
        get(client("dynamodb", url, read_timeout=read_timeout))


def test_a_server_that_is_not_there_raises_botocores_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}"
    with pytest.raises(EndpointConnectionError):
        get(client("dynamodb", url))


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "http://10.0.0.1/", "http://127.0.0.1.example.com/"])
def test_other_places_are_botocores(url: str) -> None:
    assert _place(url) is None


@pytest.mark.parametrize(
    ("name", "value"), [("x", "a\r\nb: c"), ("x", b"a\nb"), ("x", "a\rb"), ("Expect", b"100-continue")]
)
def test_other_requests_are_botocores(name: str, value: str | bytes) -> None:
    place = _place("http://127.0.0.1:1/")
    assert place is not None

    class Request:
        stream_output, method, body = False, "POST", b"{}"

        def __init__(self) -> None:
            self.headers = {name: value}

    assert _written(Request(), place) is None


def test_every_client_of_the_default_session_sends_once(
    monkeypatch: pytest.MonkeyPatch, by_botocore: list[str]
) -> None:
    """Those of the handlers, and those of the pollers, which localstack's session makes from the same one."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    once = answers(ITEM, "connection: close")
    before = boto3.DEFAULT_SESSION
    try:
        with scripted(once, once) as (url, heads):
            monkeypatch.setenv("AWS_ENDPOINT_URL", url)
            use_loopback_http()
            for number, make in enumerate((partial(boto3.client, region_name="us-east-1"), session().client), 1):
                assert get(make("dynamodb"))["Item"] == {"pk": {"S": "a"}}
                assert len(heads) == number
        assert not by_botocore
    finally:
        boto3.DEFAULT_SESSION = before
