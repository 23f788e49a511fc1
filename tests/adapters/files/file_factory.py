"""Files of tests, and clients that send them as the service says: to a bucket, or to one machine."""

import http.client
import json
import os
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Protocol
from urllib.parse import urlsplit

import requests

from functions.files.store import FileStore
from functions.handlers import result
from infra.local.http.gateway import Flush
from tests.adapters.aws_account import API_KEY, Aws
from tests.adapters.http_calls import Answer, send
from tests.local_front import flushed, front, serving

TIMEOUT_SECS = 60


@dataclass(frozen=True)
class Content:
    raw: bytes
    media_type: str = "text/csv"

    @property
    def sha256(self) -> str:
        return sha256(self.raw).hexdigest()

    @property
    def checksum(self) -> str:
        return b64encode(sha256(self.raw).digest()).decode()

    @property
    def request(self) -> dict[str, Any]:
        return {"sha256": self.sha256, "size": len(self.raw), "media_type": self.media_type}


def some(size: int = 1000) -> Content:
    return Content(os.urandom(size))


def ask(content: Content, key: str | None = API_KEY, **changes: Any) -> Answer:
    return send(key, "POST", "/api/files", content.request | changes)


def put_directly(aws: Aws, project_id: str, content: Content, raw: bytes | None = None) -> None:
    """Put bytes where a link leads, as a client with the link could not."""
    store = result.ENV[FileStore]
    file = store.get(project_id, content.sha256)
    assert file is not None
    body = content.raw if raw is None else raw
    checksum = b64encode(sha256(body).digest()).decode()
    aws.client("s3").put_object(
        Bucket=aws.names["PayloadsBucket"],
        Key=file.object_key,
        Body=body,
        ContentType=content.media_type,
        ChecksumAlgorithm="SHA256",
        ChecksumSHA256=checksum,
    )


def stored(aws: Aws, project_id: str, content: Content, key: str = API_KEY) -> Content:
    """Store a file."""
    assert ask(content, key).json["exists"] is False
    put_directly(aws, project_id, content)
    assert ask(content, key).json["exists"] is True
    return content


class Sender(Protocol):
    """Sends requests of links."""

    def send(
        self, link: Mapping[str, Any], body: bytes | None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Return the status and the body of the answer."""
        ...


class BucketSender:
    """Sends to the bucket, which moto answers."""

    def send(
        self, link: Mapping[str, Any], body: bytes | None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        answer = requests.request(
            link["method"], link["url"], data=body, headers={**link["headers"], **(headers or {})}, timeout=TIMEOUT_SECS
        )
        return answer.status_code, answer.content


@dataclass
class MachineSender:
    """Sends to the gateway of one machine."""

    port: int
    answers: list[Mapping[str, str]] = field(default_factory=list)

    def send(
        self, link: Mapping[str, Any], body: bytes | None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        parts = urlsplit(link["url"])
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_SECS)) as client:
            target = f"{parts.path}?{parts.query}"
            client.request(link["method"], target, body, {**link["headers"], **(headers or {})})
            answer = client.getresponse()
            self.answers.append({name.lower(): value for name, value in answer.getheaders()})
            return answer.status, answer.read()


@contextmanager
def machine(aws: Aws, flush: Flush = flushed) -> Iterator[MachineSender]:
    """Serve the routes of files as one machine does. `flush`: its answers pass it."""
    aws.monkeypatch.setenv("SERVES_FILES", "true")
    result.ENV.forget()
    try:
        route = ("ANY", "/api/files/{proxy+}")
        with serving(front(result.handler, aws.names["PayloadsBucket"], route, flush=flush)) as port:
            yield MachineSender(port)
    finally:
        result.ENV.forget()


def body_of(raw: bytes) -> Any:
    return json.loads(raw)
