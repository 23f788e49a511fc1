"""What a client sees of files. Each `TypedDict` is a schema of the OpenAPI document."""

from typing import Annotated, Literal, NotRequired, TypedDict

from pydantic import Field

from functions.clock import to_rfc3339
from functions.files.model import File, FileState
from functions.files.objects import Link
from functions.http.openapi.bodies import Time

type FileId = Annotated[str, Field(description="sha256: and the hash of its bytes.")]


class LinkBody(TypedDict):
    """A request to send as it is, with these headers and without an API key."""

    url: str
    method: Literal["PUT", "GET"]
    headers: dict[str, str]
    expires_at: Time


class StoredAnswer(TypedDict):
    """The service has the file, or says how to send it."""

    id: FileId
    exists: Annotated[bool, Field(description="true: it is stored, and kept for another day.")]
    upload: NotRequired[Annotated[LinkBody, Field(description="With exists false: how to send the bytes.")]]


class FileBody(TypedDict):
    """A file of the project."""

    id: FileId
    size: int
    media_type: str
    state: Annotated[FileState, Field(description="uploading: its bytes have not arrived yet.")]
    created_at: Time
    expires_at: Annotated[Time, Field(description="It is deleted then, unless something uses it before.")]
    download: NotRequired[Annotated[LinkBody, Field(description="How to fetch the bytes.")]]


class FilePage(TypedDict):
    """One page, in the order of the hashes."""

    items: list[FileBody]
    next_cursor: str | None
    used_bytes: Annotated[int, Field(description="Of all files of the project.")]
    limit_bytes: int


class FileDeleted(TypedDict):
    """The file is gone."""

    id: FileId
    deleted: Literal[True]


def file_id(sha256: str) -> str:
    """Return the id of a file."""
    return f"sha256:{sha256}"


def link_body(link: Link) -> LinkBody:
    """Return the body of a link."""
    return {
        "url": link.url,
        "method": "PUT" if link.method == "PUT" else "GET",
        "headers": dict(link.headers),
        "expires_at": link.expires_at,
    }


def stored_answer(file: File, upload: Link | None) -> StoredAnswer:
    """Return the answer to a client that wants to store a file."""
    if upload is None:
        return {"id": file_id(file.sha256), "exists": True}
    return {"id": file_id(file.sha256), "exists": False, "upload": link_body(upload)}


def file_body(file: File, download: Link | None = None) -> FileBody:
    """Return the body of a file."""
    body: FileBody = {
        "id": file_id(file.sha256),
        "size": file.size,
        "media_type": file.media_type,
        "state": file.state,
        "created_at": file.created_at,
        "expires_at": to_rfc3339(file.due_at_ms),
    }
    if download is not None:
        body["download"] = link_body(download)
    return body
