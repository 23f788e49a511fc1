"""The bytes of files in the bucket, and the URLs for them: presigned ones, or on one machine routes of this service."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, Self

from botocore.exceptions import ClientError

from functions.aws.clients import Clients
from functions.clock import MS_PER_SEC, Clock, now_ms, to_rfc3339
from functions.files.model import DOWNLOAD_SECS, UPLOAD_SECS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_s3 import S3Client

    from functions.env import Env
    from functions.files.model import File

PREFIX: Final = "files/"
_MISSING: Final = frozenset({"404", "403", "NoSuchKey", "NotFound", "AccessDenied", "Forbidden"})
"""Without ListBucket, S3 says 403 of a missing object."""


def new_object_key() -> str:
    """Return a key that nobody can guess: two projects with the same bytes have two objects."""
    return PREFIX + secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class Link:
    """A request that a client may send, with these headers, until `expires_at` (RFC 3339)."""

    url: str
    method: str
    headers: Mapping[str, str]
    expires_at: str


class Links(Protocol):
    """URLs for the bytes of files."""

    def upload(self, file: File) -> Link:
        """Return the request that stores the bytes of a file: those of its hash, and no others."""
        ...

    def download(self, file: File) -> Link:
        """Return the request that fetches the bytes of a file."""
        ...


class FileObjects:
    """The objects of files. `client` is called on first use."""

    def __init__(self, bucket: str, client: Callable[[], S3Client]) -> None:
        self._bucket = bucket
        self._client = client

    @classmethod
    def from_env(cls, env: Env) -> Self:
        return cls(env.settings.payloads_bucket, Clients.s3)

    def is_stored(self, file: File) -> bool:
        """Tell whether the bucket has the bytes that a file says."""
        try:
            found = self._client().head_object(Bucket=self._bucket, Key=file.object_key, ChecksumMode="ENABLED")
        except ClientError as error:
            if error.response["Error"]["Code"] in _MISSING:
                return False
            raise
        return found["ContentLength"] == file.size and found.get("ChecksumSHA256") == checksum(file)

    def copy(self, source_key: str, file: File) -> bool:
        """Copy an object to that of a file; the bucket hashes the bytes. False if there is no such object."""
        try:
            self._client().copy_object(
                Bucket=self._bucket,
                Key=file.object_key,
                CopySource=f"{self._bucket}/{source_key}",
                ChecksumAlgorithm="SHA256",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in _MISSING:
                return False
            raise
        return True

    def put(self, object_key: str, content: bytes, media_type: str) -> None:
        """Store an object that the service has made."""
        self._client().put_object(Bucket=self._bucket, Key=object_key, Body=content, ContentType=media_type)

    def put_file(self, file: File, content: bytes) -> None:
        """Store the bytes of a file, as its upload would."""
        self._client().put_object(
            Bucket=self._bucket,
            Key=file.object_key,
            Body=content,
            ContentType=file.media_type,
            ChecksumAlgorithm="SHA256",
            ChecksumSHA256=checksum(file),
        )

    def get(self, object_key: str) -> bytes | None:
        """Return a whole object, whose size the caller knows. None: it is gone."""
        try:
            found = self._client().get_object(Bucket=self._bucket, Key=object_key)
        except ClientError as error:
            if error.response["Error"]["Code"] in _MISSING:
                return None
            raise
        with closing(found["Body"]) as body:
            return body.read()

    def delete(self, object_key: str) -> None:
        """Delete an object. A missing one is no error."""
        self._client().delete_object(Bucket=self._bucket, Key=object_key)


def checksum(file: File) -> str:
    """Return the hash as S3 writes it."""
    return base64.b64encode(bytes.fromhex(file.sha256)).decode()


class PresignedLinks:
    """Presigned URLs of the bucket. `client`: one that signs with version 4."""

    def __init__(self, bucket: str, client: Callable[[], S3Client], clock: Clock = now_ms) -> None:
        self._bucket = bucket
        self._client = client
        self._clock = clock

    def upload(self, file: File) -> Link:
        """Sign the size and the hash too, so that the URL takes no other bytes."""
        url = self._client().generate_presigned_url(
            "put_object",
            Params={
                "Bucket": self._bucket,
                "Key": file.object_key,
                "ContentLength": file.size,
                "ContentType": file.media_type,
                "ChecksumAlgorithm": "SHA256",
                "ChecksumSHA256": checksum(file),
            },
            ExpiresIn=UPLOAD_SECS,
        )
        headers = {
            "content-type": file.media_type,
            "x-amz-checksum-sha256": checksum(file),
            "x-amz-sdk-checksum-algorithm": "SHA256",
        }
        return Link(url, "PUT", headers, to_rfc3339(self._clock() + UPLOAD_SECS * MS_PER_SEC))

    def download(self, file: File) -> Link:
        """Sign that a browser saves the bytes and never shows them."""
        url = self._client().generate_presigned_url(
            "get_object",
            Params={
                "Bucket": self._bucket,
                "Key": file.object_key,
                "ResponseContentDisposition": "attachment",
                "ResponseContentType": file.media_type,
            },
            ExpiresIn=DOWNLOAD_SECS,
        )
        return Link(url, "GET", {}, to_rfc3339(self._clock() + DOWNLOAD_SECS * MS_PER_SEC))


class ServiceLinks:
    """Routes of this service, which only one machine has: see `content_routes`.

    The object's key, which no client sees, signs them.
    """

    def __init__(self, base_url: str, clock: Clock = now_ms) -> None:
        self._base_url = base_url
        self._clock = clock

    def upload(self, file: File) -> Link:
        """Return a request of this service."""
        return self._link(file, "PUT", {"content-type": file.media_type}, UPLOAD_SECS)

    def download(self, file: File) -> Link:
        """Return a request of this service."""
        return self._link(file, "GET", {}, DOWNLOAD_SECS)

    def _link(self, file: File, method: str, headers: Mapping[str, str], secs: int) -> Link:
        expires_ms = self._clock() + secs * MS_PER_SEC
        query = f"project={file.project_id}&expires={expires_ms}&signature={sign(file, method, str(expires_ms))}"
        url = f"{self._base_url}/api/files/{file.sha256}/content?{query}"
        return Link(url, method, headers, to_rfc3339(expires_ms))


def file_links(env: Env) -> Links:
    """Return the URLs of an entry point."""
    if env.settings.serves_files:
        return ServiceLinks(env.settings.public_base_url, env.clock)
    return PresignedLinks(env.settings.payloads_bucket, Clients.s3_signing, env.clock)


def sign(file: File, method: str, expires: str) -> str:
    """Return the signature of a link of this service. `expires`: epoch milliseconds."""
    message = f"{method}\n{file.project_id}\n{file.sha256}\n{expires}"
    return hmac.new(file.object_key.encode(), message.encode(), hashlib.sha256).hexdigest()
