"""The routes of /api/files, and those of the bytes on one machine."""

import hmac
import re
from dataclasses import dataclass
from typing import Annotated, Literal, NotRequired, TypedDict

from aws_lambda_powertools.event_handler import Response
from pydantic import Field

from functions.clock import to_rfc3339
from functions.env import Env
from functions.errors import BadRequestError, ConflictError, ForbiddenError, NotFoundError
from functions.files.model import MIB, File, FileRequest, FileState, file_hash
from functions.files.objects import Link, checksum, file_links, sign
from functions.files.store import FileStore
from functions.files.use import StoredFiles
from functions.http.answers import answer
from functions.http.http_event import json_body
from functions.http.openapi.bodies import Error, GatewayError, Time
from functions.http.openapi.operation import BAD, KEYED, LIMITED, OPEN, PAGE, TAKES_BODY, Answer, path, query
from functions.http.parameters import page_limit, start_after, write_cursor
from functions.http.resolver import Resolver, Route
from functions.http.stored_content import download_headers, upload_headers
from functions.http.validation import parse_body
from functions.projects.authentication import authenticate

# What a client sees of files. Each `TypedDict` is a schema of the OpenAPI document.

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
    return f"sha256:{sha256}"


def link_body(link: Link) -> LinkBody:
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


# The bytes of files on one machine. The function checks the link; the local gateway takes or sends the bytes.
#
# On AWS, links lead to the bucket, and these routes answer 404.

_PROJECT_ID_CHARS = 64
_WRONG_LINK = "This link is wrong or has expired. Ask for a new one at /api/files."


@dataclass(frozen=True, slots=True)
class FileContentRoutes:
    """The routes."""

    env: Env

    def put(self, app: Resolver, sha256: str) -> Response[str]:
        """Let the gateway store the body, if it has the hash and the size of the file. Raises ServiceError."""
        file = self._linked(app, sha256, "PUT")
        if (length := app.current_event.headers.get("content-length")) != str(file.size):
            raise BadRequestError(f"The file has {file.size:,} bytes; content-length is {length or 'missing'}.")
        stored = answer(stored_answer(file, None))
        if file.state is not FileState.STORED:
            stored.headers |= upload_headers(
                file.object_key, file.size, checksum(file), file.media_type, file.project_id
            )
        return stored

    def get(self, app: Resolver, sha256: str) -> Response[str]:
        """Let the gateway send the bytes of the file. Raises ServiceError."""
        file = self._linked(app, sha256, "GET")
        return Response(200, file.media_type, "", headers=download_headers(file.object_key))

    def _linked(self, app: Resolver, sha256: str, method: str) -> File:
        if not self.env.settings.serves_files:
            raise NotFoundError("Files of this deployment are in its bucket. POST /api/files says how to send one.")
        query = app.current_event.query_string_parameters
        expires, signature = query.get("expires", ""), query.get("signature", "")
        project_id = query.get("project", "")[:_PROJECT_ID_CHARS]  # a longer text may be too long for a key
        file = self.env[FileStore].get(project_id, file_hash(sha256))
        is_signed = file is not None and hmac.compare_digest(sign(file, method, expires).encode(), signature.encode())
        if file is None or not is_signed or int(expires) <= self.env.clock():
            raise ForbiddenError(_WRONG_LINK)
        return file


_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_CHANGED = "The file was used while it was deleted. Repeat the request."


@dataclass(frozen=True, slots=True)
class FileRoutes:
    """The routes."""

    env: Env

    def store(self, app: Resolver) -> Response[str]:
        project = authenticate(app.current_event, self.env)
        request = parse_body(FileRequest, json_body(app.current_event))
        return answer(stored_answer(*self.env[StoredFiles].prepare_upload(project, request)))

    def page(self, app: Resolver) -> Response[str]:
        event, store = app.current_event, self.env[FileStore]
        project = authenticate(event, self.env)
        query, owner = event.query_string_parameters, f"{project.project_id} files"
        page = store.page(project.project_id, page_limit(query), start_after(query, owner, _HASH))
        after = page.next_created_key
        return answer(
            {
                "items": [file_body(file) for file in page.rows],
                "next_cursor": write_cursor(owner, after) if after else None,
                "used_bytes": store.usage(project.project_id)[0],
                "limit_bytes": project.files_mb * MIB,
            }
        )

    def one(self, app: Resolver, sha256: str) -> Response[str]:
        file = self._find(app, sha256)
        return answer(file_body(file, self.env[file_links].download(file)))

    def delete(self, app: Resolver, sha256: str) -> Response[str]:
        project = authenticate(app.current_event, self.env)
        file = self.env[FileStore].get(project.project_id, file_hash(sha256))
        if file is None:
            raise _unknown()
        holders = self.env[StoredFiles].holders(file)
        if holders:
            names = ", ".join(holders[:5])
            way_out = "Change or delete what uses it first. Runs of a deleted problem may need it for up to 18 hours."
            raise ConflictError(f"The file is used by {names}. {way_out}")
        if not self.env[StoredFiles].retire(file):
            raise ConflictError(_CHANGED)
        return answer({"id": file_id(file.sha256), "deleted": True})

    def _find(self, app: Resolver, sha256: str) -> File:
        project = authenticate(app.current_event, self.env)
        file = self.env[StoredFiles].find(project.project_id, file_hash(sha256))
        if file is None:
            raise _unknown()
        return file


def _unknown() -> NotFoundError:
    return NotFoundError("This project has no such file, or it has expired. POST /api/files stores it.")


_SHA256 = path(
    "sha256", {"type": "string", "pattern": "^(sha256:)?[0-9a-f]{64}$"}, "The SHA-256 of the bytes, in hexadecimal."
)
_UNKNOWN: Answer = ("`not_found`: the project has no such file, or it has expired.", (Error,))
_LINK = (
    _SHA256,
    query("project", {"type": "string"}, "Of the link."),
    query("expires", {"type": "string"}, "Of the link."),
    query("signature", {"type": "string"}, "Of the link."),
)
_LINKED: dict[int, Answer] = {
    403: ("`forbidden`: the link is wrong or has expired.", (Error,)),
    404: ("`not_found`: on AWS, links lead to the bucket.", (Error,)),
    **OPEN,
}

FILE_ROUTES: tuple[Route[FileRoutes], ...] = (
    Route(
        "POST /api/files",
        FileRoutes.store,
        "storeFile",
        "Ask whether a file is stored, and how to send it",
        {
            200: ("Stored and kept for another day, or how to send it.", (StoredAnswer,)),
            400: ("`bad_request`: the JSON is broken.", (Error,)),
            409: ("`conflict`: the stored file with this hash has another size.", (Error,)),
            **TAKES_BODY,
            429: LIMITED,
        },
        request=FileRequest,
        examples={
            "typical": {
                "value": {
                    "sha256": "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
                    "size": 3,
                    "media_type": "text/csv",
                }
            }
        },
        rights=("files",),
    ),
    Route(
        "GET /api/files",
        FileRoutes.page,
        "listFiles",
        "The project's files",
        {200: ("One page.", (FilePage,)), 400: BAD, **KEYED},
        PAGE,
        rights=("read", "files"),
    ),
    Route(
        "GET /api/files/{sha256}",
        FileRoutes.one,
        "getFile",
        "One file, and how to fetch it",
        {200: ("The file.", (FileBody,)), 400: BAD, 404: _UNKNOWN, **KEYED},
        (_SHA256,),
        rights=("read", "files"),
    ),
    Route(
        "HEAD /api/files/{sha256}",
        FileRoutes.one,
        "hasFile",
        "Whether a file is stored",
        {200: ("It is. As all answers to HEAD, without a body.", (FileBody,)), 400: BAD, 404: _UNKNOWN, **KEYED},
        (_SHA256,),
        rights=("read", "files"),
    ),
    Route(
        "DELETE /api/files/{sha256}",
        FileRoutes.delete,
        "deleteFile",
        "Delete a file",
        {
            200: ("Gone. Accepted runs still have it.", (FileDeleted,)),
            400: BAD,
            404: _UNKNOWN,
            409: ("`conflict`: a check uses it, or it was used meanwhile.", (Error,)),
            **KEYED,
        },
        (_SHA256,),
        rights=("files",),
    ),
)
FILE_CONTENT_ROUTES: tuple[Route[FileContentRoutes], ...] = (
    Route(
        "PUT /api/files/{sha256}/content",
        FileContentRoutes.put,
        "sendFile",
        "Send the bytes of a file, on one machine: the `upload` of POST /api/files leads here",
        {
            200: ("Stored.", (StoredAnswer,)),
            400: ("`bad_request`: the bytes do not have the hash or the size of the file.", (Error, GatewayError)),
            **_LINKED,
        },
        _LINK,
        "application/octet-stream",
        security=None,
        read_max_bytes=0,  # the gateway itself stores the body, if the function asks for it
    ),
    Route(
        "GET /api/files/{sha256}/content",
        FileContentRoutes.get,
        "fetchFile",
        "Fetch the bytes of a file, on one machine: the `download` of GET /api/files/{sha256} leads here",
        {200: ("The bytes, as an attachment.", ("application/octet-stream",)), 400: BAD, **_LINKED},
        _LINK,
        security=None,
    ),
)
