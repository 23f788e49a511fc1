"""The routes of /api/files, with their part of the OpenAPI document."""

from functions.files.content_routes import FileContentRoutes
from functions.files.requests import FileRequest
from functions.files.routes import FileRoutes
from functions.files.views import FileBody, FileDeleted, FilePage, StoredAnswer
from functions.http.openapi.bodies import Error, GatewayError
from functions.http.openapi.operation import BAD, KEYED, LIMITED, OPEN, PAGE, TAKES_BODY, Answer, path, query
from functions.http.route import Route

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
        "POST",
        "/api/files",
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
    ),
    Route(
        "GET",
        "/api/files",
        FileRoutes.page,
        "listFiles",
        "The project's files",
        {200: ("One page.", (FilePage,)), 400: BAD, **KEYED},
        PAGE,
    ),
    Route(
        "GET",
        "/api/files/{sha256}",
        FileRoutes.one,
        "getFile",
        "One file, and how to fetch it",
        {200: ("The file.", (FileBody,)), 400: BAD, 404: _UNKNOWN, **KEYED},
        (_SHA256,),
    ),
    Route(
        "HEAD",
        "/api/files/{sha256}",
        FileRoutes.one,
        "hasFile",
        "Whether a file is stored",
        {200: ("It is. As all answers to HEAD, without a body.", (FileBody,)), 400: BAD, 404: _UNKNOWN, **KEYED},
        (_SHA256,),
    ),
    Route(
        "DELETE",
        "/api/files/{sha256}",
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
    ),
)
FILE_CONTENT_ROUTES: tuple[Route[FileContentRoutes], ...] = (
    Route(
        "PUT",
        "/api/files/{sha256}/content",
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
        "GET",
        "/api/files/{sha256}/content",
        FileContentRoutes.get,
        "fetchFile",
        "Fetch the bytes of a file, on one machine: the `download` of GET /api/files/{sha256} leads here",
        {200: ("The bytes, as an attachment.", ("application/octet-stream",)), 400: BAD, **_LINKED},
        _LINK,
        security=None,
    ),
)
