"""Links to the bytes of files: one contract for a bucket with presigned URLs and for the routes of one machine."""

import socket
import time
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import parse_qs, urlsplit

import pytest
from moto import mock_aws

from functions.handlers import result
from functions.http.stored_content import DOWNLOAD_KEY, UPLOAD_KEY
from functions.projects.model import Project
from functions.projects.store import ProjectStore
from infra.local.http.answers import HttpAnswer, gateway_answer
from tests.adapters.aws_account import API_KEY, PROJECT_ID, Aws
from tests.adapters.files.file_factory import BucketSender, Content, MachineSender, Sender, ask, machine, some
from tests.adapters.http_calls import send
from tests.local_front import connect, read_all

MIB = 1024 * 1024


@pytest.fixture(params=["bucket", "machine"])
def sender(request: pytest.FixtureRequest) -> Iterator[Sender]:
    if request.param == "bucket":
        request.getfixturevalue("moto_account")
        yield BucketSender()
    else:
        aws = request.getfixturevalue("aws")
        request.getfixturevalue("project_key")
        with machine(aws) as found:
            yield found


@pytest.fixture
def moto_account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    from tests.adapters.new_account import new_account  # noqa: PLC0415 - as in the fixture `aws`

    with mock_aws(), new_account(monkeypatch) as account:
        projects = ProjectStore(account.names["ProjectsTable"], account.client("dynamodb"))
        projects.create_project(Project(PROJECT_ID, "tests"))
        projects.issue_key(PROJECT_ID, api_key=API_KEY)
        yield account


@pytest.mark.parametrize("size", [0, 10, 3 * MIB + 5])
def test_bytes_are_sent_and_fetched_as_they_are(sender: Sender, size: int) -> None:
    content = some(size)
    upload = ask(content).json["upload"]
    assert upload["method"] == "PUT"
    assert sender.send(upload, content.raw)[0] == 200
    assert ask(content).json == {"id": f"sha256:{content.sha256}", "exists": True}
    found = send(API_KEY, "GET", f"/api/files/{content.sha256}").json
    assert (found["size"], found["media_type"], found["state"]) == (size, "text/csv", "stored")
    assert sender.send(found["download"], None) == (200, content.raw)


def test_a_link_takes_the_bytes_of_its_hash_only(sender: Sender) -> None:
    content = some(2 * MIB)
    upload = ask(content).json["upload"]
    if isinstance(sender, BucketSender):  # moto checks no checksum; that it is signed is a test below
        return
    assert sender.send(upload, content.raw[::-1])[0] == 400
    assert ask(content).json["exists"] is False


def test_the_link_of_a_bucket_signs_size_hash_and_type(moto_account: Aws) -> None:
    del moto_account
    content = some()
    upload = ask(content).json["upload"]
    query = parse_qs(urlsplit(upload["url"]).query)
    signed = set(query["X-Amz-SignedHeaders"][0].split(";"))
    assert {"content-length", "content-type", "host", "x-amz-checksum-sha256"} <= signed
    assert set(upload["headers"]) | {"content-length", "host"} == signed
    assert upload["headers"]["x-amz-checksum-sha256"] == content.checksum
    assert query["X-Amz-Expires"] == ["900"]


def test_wrong_bytes_in_the_bucket_are_no_file(moto_account: Aws) -> None:
    """As if the bucket had not checked."""
    from tests.adapters.files.file_factory import put_directly  # noqa: PLC0415 - beside its only use

    content = some()
    ask(content)
    put_directly(moto_account, PROJECT_ID, content, content.raw[::-1])
    assert ask(content).json["exists"] is False
    put_directly(moto_account, PROJECT_ID, content, content.raw + b"x")
    assert send(API_KEY, "GET", f"/api/files/{content.sha256}").status == 404


@pytest.fixture
def one_machine(aws: Aws, project_key: str) -> Iterator[MachineSender]:
    del project_key
    with machine(aws) as found:
        yield found


@pytest.mark.parametrize(
    ("part", "value"),
    [
        *(("signature", "0" * 64), ("expires", "9999999999999"), ("expires", "x")),
        *(("project", "other"), ("project", "x" * 3_000)),
    ],
)
def test_a_changed_link_opens_nothing(one_machine: MachineSender, part: str, value: str) -> None:
    content = some()
    upload = ask(content).json["upload"]
    (old,) = parse_qs(urlsplit(upload["url"]).query)[part]
    changed = upload | {"url": upload["url"].replace(f"{part}={old}", f"{part}={value}")}
    assert one_machine.send(changed, content.raw)[0] == 403
    assert ask(content).json["exists"] is False


def test_the_link_of_an_upload_fetches_nothing(one_machine: MachineSender) -> None:
    content = some()
    upload = ask(content).json["upload"]
    one_machine.send(upload, content.raw)
    assert one_machine.send(upload | {"method": "GET"}, None)[0] == 403


def test_a_link_expires(one_machine: MachineSender, monkeypatch: pytest.MonkeyPatch) -> None:
    content = some()
    upload = ask(content).json["upload"]
    monkeypatch.setattr(result.ENV, "clock", lambda: int(time.time() * 1000) + 901_000)
    assert one_machine.send(upload, content.raw)[0] == 403


@pytest.mark.parametrize("length", [999, 1001])
def test_another_size_is_refused_before_the_body_is_read(one_machine: MachineSender, length: int) -> None:
    content = some(1000)
    upload = ask(content).json["upload"]
    status, answer = one_machine.send(upload, bytes(length))
    assert (status, b"The file has 1,000 bytes" in answer) == (400, True)


def test_an_upload_that_stops_half_way_leaves_nothing(one_machine: MachineSender, aws: Aws) -> None:
    content = some(4 * MIB)
    upload = ask(content).json["upload"]
    parts = urlsplit(upload["url"])
    head = f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content.raw)}\r\n\r\n"
    with closing(connect(one_machine.port)) as client:
        client.sendall(head.encode() + content.raw[: 3 * MIB])
        client.shutdown(socket.SHUT_RDWR)
    assert ask(content).json["exists"] is False
    assert "Contents" not in aws.client("s3").list_objects_v2(Bucket=aws.names["PayloadsBucket"])
    assert one_machine.send(upload, content.raw)[0] == 200
    assert ask(content).json["exists"] is True


def test_the_bytes_come_as_an_attachment_that_no_browser_runs(one_machine: MachineSender) -> None:
    content = Content(b"<script>alert(1)</script>", "text/html")
    one_machine.send(ask(content).json["upload"], content.raw)
    download = send(API_KEY, "GET", f"/api/files/{content.sha256}").json["download"]
    assert one_machine.send(download, None)[1] == content.raw
    headers = one_machine.answers[-1]
    assert headers["content-disposition"] == "attachment"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"].startswith("sandbox")
    assert not [name for name in headers if name.startswith("x-stored")]


def test_a_chunked_body_is_refused(one_machine: MachineSender) -> None:
    upload = ask(some()).json["upload"]
    parts = urlsplit(upload["url"])
    head = f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
    with closing(connect(one_machine.port)) as client:
        client.sendall(head.encode() + b"Connection: close\r\n\r\n1\r\nx\r\n0\r\n\r\n")
        assert b" 400 " in read_all(client).split(b"\r\n")[0]


def test_an_upload_and_a_download_are_flushed_after_their_call_of_the_bucket(aws: Aws, project_key: str) -> None:
    del project_key
    content = some(2 * MIB)
    objects = list[bool]()

    def flush(path: str, answer: HttpAnswer) -> HttpAnswer:
        """Let only the answers of functions leave."""
        if dict(answer.headers).keys() & {UPLOAD_KEY, DOWNLOAD_KEY}:
            return answer
        assert path == f"/api/files/{content.sha256}/content"
        objects.append("Contents" in aws.client("s3").list_objects_v2(Bucket=aws.names["PayloadsBucket"]))
        return gateway_answer(503, "not flushed")

    with machine(aws, flush) as found:
        assert found.send(ask(content).json["upload"], content.raw) == (503, b'{"message": "not flushed"}')
        assert objects == [True]
        download = send(API_KEY, "GET", f"/api/files/{content.sha256}").json["download"]
        assert found.send(download, None) == (503, b'{"message": "not flushed"}')
    assert objects == [True, True]


def test_on_aws_the_routes_of_the_bytes_are_not_there(aws: Aws, project_key: str) -> None:
    del aws, project_key
    path = f"/api/files/{some().sha256}/content"
    assert send(None, "GET", path).status == send(None, "PUT", path, b"x").status == 404
